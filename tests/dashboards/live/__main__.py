"""`python -m tests.dashboards.live`: a real job under a real Prometheus, every panel asked."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.dashboards.live.check import check
from tests.dashboards.live.report import report


def main() -> int:
    """0 when nothing is empty."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        sys.stderr.write("prometheus and promtool must be on PATH: apt-get install prometheus\n")
        return 2
    with TemporaryDirectory(prefix="vppo-dashboards-") as folder:
        found = check(Path(folder), say=lambda text: sys.stderr.write(f"{text}\n"))
    sys.stdout.write(report(found))
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
