"""The way to an API inside a cluster with what a kubeconfig opens: a forwarded port and its token.

`kubectl` does both, so whatever it can log in with is good enough.
"""

import atexit
import functools
import re
import shutil
import subprocess
from typing import Final

from vppo_core.errors import InvalidSpecError

KUBE: Final = "kube"
"""Scheme of `kube://NAMESPACE/SERVICE[:PORT]`."""

DEFAULT_PLACE: Final = "vppo/vppo-api"
"""Namespace and service of the chart, installed as it says."""

PORT: Final = "http"
TIMEOUT_SECONDS: Final = 30.0
_PLACE: Final = re.compile(
    r"(?P<namespace>[a-z0-9][-a-z0-9]*)/(?P<service>[a-z0-9][-a-z0-9]*)(:(?P<port>[-a-z0-9]+))?"
)
_FORWARDING: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(?P<port>[0-9]+)")


@functools.cache
def forwarded_address(written: str) -> str:
    """An address of this machine that leads to the service, as long as this program runs.

    Raises:
        InvalidSpecError: it is no such address, or `kubectl` refuses.
    """
    place = written.partition("://")[2].strip("/") or DEFAULT_PLACE
    found = _PLACE.fullmatch(place)
    if found is None:
        raise InvalidSpecError(
            f"--server must be {KUBE}://NAMESPACE/SERVICE for a cluster, got '{written}'; write "
            f"{KUBE}://{DEFAULT_PLACE}, or {KUBE}:// for the same"
        )
    process = subprocess.Popen(
        [
            _kubectl(),
            "port-forward",
            f"--namespace={found['namespace']}",
            "--address=127.0.0.1",
            f"service/{found['service']}",
            f":{found['port'] or PORT}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    atexit.register(_end, process)
    assert process.stdout is not None
    assert process.stderr is not None
    said = _FORWARDING.match(process.stdout.readline())
    if said is None:
        _end(process)
        reason = (process.stderr.read().strip().splitlines() or ["nothing was said"])[-1]
        raise InvalidSpecError(
            f"a port must lead to the service {place}, got '{reason}' from kubectl; check the "
            f"kubeconfig's context, or name another one as {KUBE}://NAMESPACE/SERVICE"
        )
    return f"http://127.0.0.1:{said['port']}"


def kubeconfig_token() -> str:
    """The token of the kubeconfig's user.

    Raises:
        InvalidSpecError: it has none, as with a client certificate.
    """
    path = "jsonpath={.users[0].user.token}"
    done = subprocess.run(
        [_kubectl(), "config", "view", "--minify", "--raw", f"--output={path}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    token = done.stdout.strip()
    if done.returncode or not token:
        raise InvalidSpecError(
            "the kubeconfig's user must have a token, got none; set VPPO_TOKEN, such as to what "
            "`kubectl create token NAME` prints"
        )
    return token


def _kubectl() -> str:
    found = shutil.which("kubectl")
    if found is None:
        raise InvalidSpecError(
            f"kubectl must be installed for {KUBE}:// addresses, got none in PATH; install it, or "
            "forward a port by other means and name that with --server"
        )
    return found


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
