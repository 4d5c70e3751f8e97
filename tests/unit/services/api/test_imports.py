"""The control plane starts without a GPU stack, and soon."""

import json
import subprocess
import sys

HEAVY = ("torch", "ray", "vllm", "transformers", "mlflow", "pandas", "datasets", "pyarrow")
PROGRAM = """\
import json, resource, sys
import vppo_services.api.app
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "mib": usage.ru_maxrss / 1024,
    "cpu": usage.ru_utime + usage.ru_stime,
}))
"""


def test_the_application_is_imported_without_a_gpu_stack() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    found = json.loads(ran.stdout)
    assert not set(HEAVY) & set(found["modules"])
    assert found["mib"] < 200
    # CPU time: a busy machine is no reason to fail.
    assert found["cpu"] < 4.0
