"""The control plane starts without a GPU stack, and soon."""

import json
import subprocess
import sys

HEAVY = ("torch", "ray", "vllm", "transformers", "mlflow", "pandas", "datasets", "pyarrow")
PROGRAM = """\
import json, re, resource, sys
from pathlib import Path
import vppo_services.api.__main__
# Not ru_maxrss: a child's begins with what its parent had resident when it forked.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "mib": peak / 1024,
    "cpu": usage.ru_utime + usage.ru_stime,
}))
"""


def test_the_application_is_imported_without_a_gpu_stack() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    found = json.loads(ran.stdout)
    assert not set(HEAVY) & set(found["modules"])
    assert not {"kubernetes", "urllib3"} & set(found["modules"]), "a machine has no cluster"
    assert found["mib"] < 200
    # CPU time: a busy machine is no reason to fail.
    assert found["cpu"] < 4.0
