"""Build hook: makes the front end with the package's own Node tool chain."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEnd(BuildHookInterface[Any]):
    """Fills `src/telecine/static/dist` before files are packed."""

    PLUGIN_NAME = "custom"
