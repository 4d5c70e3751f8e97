"""The control image, asked from a pod of it."""

import json
import time
from typing import Any, Final

from tests.e2e.tools import Kubectl
from vppo_core.errors import VPPOError

MAX_IMAGE_MIB: Final = 150.0
_SECONDS: Final = 180.0
_POD: Final = "bench-control-image"
# Everything that the image has above its base lies in two folders. The server is started five
# times: the first start reads the files from disk, as that of a new node does.
_SCRIPT: Final = """
import json, os, subprocess, sys, tarfile, time, urllib.request

FOLDERS = ("/opt/vppo", "/wheel")

def size(folder):
    return sum(os.lstat(os.path.join(at, name)).st_size
               for at, _, names in os.walk(folder) for name in names)

def packed():
    with tarfile.open("/tmp/layers.tar.gz", "w:gz", compresslevel=6) as layers:
        for folder in FOLDERS:
            layers.add(folder)
    return os.path.getsize("/tmp/layers.tar.gz")

def start(number):
    began = time.monotonic()
    command = ["vppo", "serve", "--force", "--state", f"/tmp/state-{number}"]
    command += ["--port", str(8100 + number)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - began < 60:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{8100 + number}/readyz", timeout=1)
                return time.monotonic() - began
            except OSError:
                time.sleep(0.02)
        raise SystemExit("the API did not answer within a minute")
    finally:
        server.terminate()
        server.wait()

starts = [start(number) for number in range(5)]
print(json.dumps({"bytes": sum(map(size, FOLDERS)), "packed": packed(), "starts": starts}))
"""


def control_image(kubectl: Kubectl, image: str) -> dict[str, float]:
    """MiB above the base, as a registry keeps them and unpacked; seconds until its API is ready.

    Raises:
        VPPOError: no node has the image, or it does not run.
    """
    kubectl.apply(_pod(image))
    try:
        deadline = time.monotonic() + _SECONDS
        while (phase := kubectl.get("pod", _POD)["status"].get("phase")) != "Succeeded":
            if phase == "Failed" or time.monotonic() > deadline:
                raise VPPOError(f"a pod of {image} is {phase}: {kubectl('describe', 'pod', _POD)}")
            time.sleep(0.5)
        found = json.loads(kubectl("logs", _POD).strip().splitlines()[-1])
    finally:
        kubectl("delete", "pod", _POD, "--ignore-not-found", "--wait=false")
    first, *others = found["starts"]
    return {
        "packedMib": found["packed"] / 2**20,
        "mib": found["bytes"] / 2**20,
        "firstStartSeconds": first,
        "startSeconds": sorted(others)[len(others) // 2],
    }


def _pod(image: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _POD},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "control",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-c", _SCRIPT],
                }
            ],
        },
    }
