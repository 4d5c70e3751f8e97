"""Lets a CUDA-linked torchvision be imported beside a CPU build of torch.

The registry's only torchvision wheel links CUDA, so its C extension does not load beside a CPU
torch, and `torchvision._meta_registrations` then fails on operators that nobody declared. vLLM and
transformers use the transforms only; declaring the two schemas is enough for these. A `.pth` file
calls `install()` in every interpreter of the environment, because Ray workers and vLLM's
subprocesses import torchvision too. On a CUDA build of torch nothing is changed.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_TRIGGER = "torchvision._meta_registrations"
_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


class _DeclareOperators(MetaPathFinder):
    """Finds nothing itself; declares the operators just before torchvision asks for them."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname == _TRIGGER:
            sys.meta_path.remove(self)
            _declare_missing()
        return None


def install() -> None:
    """Watch for the import of torchvision; costs nothing where it is never imported."""
    sys.meta_path.insert(0, _DeclareOperators())


def _declare_missing() -> None:
    import torch

    if torch.version.cuda is not None:
        return
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            # A fragment without an owner would be collected, and the operator with it.
            _FRAGMENTS.append(torch.library.Library("torchvision", "FRAGMENT"))  # type: ignore[no-untyped-call]
            _FRAGMENTS[-1].define(name + schema)


_FRAGMENTS: list[Any] = []
