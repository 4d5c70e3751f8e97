"""Whole attempts as they are committed. After a change of the manifests write them anew:

.venv/bin/python -m tests.unit.core.manifests.golden
"""

from collections.abc import Mapping
from typing import Final

import yaml

from tests.unit.core.manifests.attempts import (
    ROOT,
    cpu_platform,
    h100_platform,
    job_file,
    request_of,
)
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.manifests.render import render

FOLDER: Final = ROOT / "tests" / "golden"


def requests() -> Mapping[str, AttemptRequest]:
    """The demo on CPUs without Kueue; the 7B job on H100 with it."""
    h100 = job_file(
        "vppo-qwen25-vl-7b",
        *("scheduling.queue=research", "priority=high", "placement.secret=hub-token"),
        *("checkpoint.uri=s3://checkpoints/vppo", "activeDeadlineSeconds=86400"),
    )
    ca = "-----BEGIN CERTIFICATE-----\n"
    return {
        "attempt-demo.yaml": request_of(job_file("demo-vppo"), cpu_platform()),
        "attempt-h100.yaml": request_of(h100, h100_platform(), ca=ca, active_seconds_left=3600.5),
    }


def text_of(request: AttemptRequest) -> str:
    """The objects as one YAML stream in the order of creation."""
    text: str = yaml.dump_all(
        render(request), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks; nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)


if __name__ == "__main__":
    for name, request in requests().items():
        (FOLDER / name).write_text(text_of(request))
