"""What a theme can set, and what holds where it does not (pure)."""

from collections.abc import Mapping
from typing import Any

_WHITE = "rgba(255, 255, 255, 1)"
_SHADE = "rgba(0, 0, 0, .7)"

COLOURS: Mapping[str, str] = {
    "text": _WHITE,
    "link": _WHITE,
    "linkHover": _WHITE,
    "linkActive": _WHITE,
    "trackPlayed": "rgba(88, 131, 255, .95)",
    "trackUnplayed": "rgba(255, 255, 255, .35)",
    "trackBackground": "rgba(255, 255, 255, .2)",
    "backgroundTop": _SHADE,
    "backgroundBottom": _SHADE,
    "backgroundText": _WHITE,
}
SWITCHES: Mapping[str, bool] = {
    "enableApi": True,
    "enableControls": True,
    "forceAutoplay": False,
    "hideTitle": False,
    "forceLoop": False,
}
DEFAULTS: Mapping[str, Any] = {**COLOURS, **SWITCHES}
"""Every member that a theme can choose, by its name in the API, in the API's order."""


def resolved(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return all members: what was chosen, else the default."""
    return {name: choices.get(name, default) for name, default in DEFAULTS.items()}


def merged(choices: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return choices after a change, in which None brings a default back."""
    both = {**choices, **changes}
    return {name: both[name] for name in DEFAULTS if both.get(name) is not None}
