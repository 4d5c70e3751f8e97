"""Puts the start-up hook of `vppo_core.torchvision_ops` beside the installed package."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HOOK = "vppo_torchvision.pth"


class StartUpHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds one `.pth` file to the wheel, and to the editable install alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Both maps are needed: an editable wheel takes the second one only."""
        build_data["force_include"][HOOK] = HOOK
        build_data["force_include_editable"][HOOK] = HOOK
