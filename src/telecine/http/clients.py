"""Which official client asks, where its version decides what it can read."""

import re

from starlette.datastructures import Headers

_USER_AGENT = re.compile(r"api\.video client \((python|nodejs); v:(\d+)\.(\d+)\.(\d+)")
_ORIGIN = re.compile(r"(python|nodejs):(\d+)\.(\d+)\.(\d+)")

Version = tuple[int, int, int]

FIRST_TOLERANT_PYTHON: Version = (1, 3, 2)
"""From here on the Python client accepts nulls and ignores unknown members."""


def strict_python(headers: Headers) -> Version | None:
    """Return the version of a Python client that refuses nulls and unknown members."""
    found = _ORIGIN.fullmatch(headers.get("av-origin-client", ""))
    if found is None:
        found = _USER_AGENT.search(headers.get("user-agent", ""))
    if found is None or found[1] != "python":
        return None
    version = (int(found[2]), int(found[3]), int(found[4]))
    return version if version < FIRST_TOLERANT_PYTHON else None


def is_official(headers: Headers) -> bool:
    """Tell whether an official client asks: some of them type event names as enums."""
    if "av-origin-client" in headers:
        return True
    return _USER_AGENT.search(headers.get("user-agent", "")) is not None


def without_nulls(value: object) -> object:
    """Return a JSON value without its null members, at any depth."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
