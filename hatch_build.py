"""Puts the pages and the demo configuration inside the package when a wheel is built.

In a checkout they live at the top, where people look for them; an editable install serves them from there, so it gets
no copy that would grow old. `bridge/resources.py` finds them in both places.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INSIDE = {"web": "bridge/web", "pages": "bridge/pages", "config.toml": "bridge/config.toml"}


class ResourcesHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"].update(INSIDE)
