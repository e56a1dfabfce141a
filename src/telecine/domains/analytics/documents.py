"""Sessions and events as old clients read them: every leaf is a text, `unknown` if it is not."""

import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import Row

from telecine.domains.analytics.countries import NAMES
from telecine.http.text import atom

UNKNOWN = "unknown"

_DEVICES = {"computer": "desktop", "phone": "mobile"}
_SYSTEMS = {
    "windows": ("Microsoft Windows", "W"),
    "mac osx": ("Mac OS X", "OSX"),
    "ios": ("iOS", "IOS"),
    "android": ("Android", "AND"),
    "linux": ("GNU/Linux", "LIN"),
    "chrome os": ("Chrome OS", "COS"),
}
_SEARCHES = {
    "google": "q",
    "bing": "q",
    "duckduckgo": "q",
    "yahoo": "p",
    "ecosia": "q",
    "qwant": "q",
}
"""Second-level names of search engines, and their parameter of what was searched for."""


def session(row: Row[Any], *, metadata: bool) -> dict[str, Any]:
    """Return a session; `metadata` is shown to clients that take members they do not know."""
    about: dict[str, Any] = {
        "sessionId": row.session_id,
        "loadedAt": _precisely(row.loaded_at),
        "endedAt": _precisely(row.ended_at),
    }
    if metadata and row.labels:
        about["metadata"] = [{"key": key, "value": value} for key, value in row.labels.items()]
    return {
        "session": about,
        "location": {"country": NAMES.get(row.country, UNKNOWN), "city": row.city or UNKNOWN},
        "referrer": referrer(row.referrer),
        "device": {
            "type": _DEVICES.get(row.device_type, row.device_type),
            "vendor": row.device_vendor or UNKNOWN,
            "model": row.device_model or UNKNOWN,
        },
        "os": _system(row.os, row.os_version),
        "client": {
            "type": UNKNOWN if row.browser == UNKNOWN else "browser",
            "name": UNKNOWN if row.browser == UNKNOWN else row.browser.title(),
            "version": row.browser_version or UNKNOWN,
        },
    }


def _system(name: str, version: str | None) -> dict[str, str]:
    if name == UNKNOWN:
        return dict.fromkeys(("name", "shortname", "version"), UNKNOWN)
    shown, short = _SYSTEMS.get(name, (name.title(), name[:3].upper()))
    if name == "windows":  # as old clients were told: W10, Windows10
        of_windows = version or ""
        return {"name": shown, "shortname": short + of_windows, "version": f"Windows{of_windows}"}
    return {"name": shown, "shortname": short, "version": version or UNKNOWN}


def referrer(url: str) -> dict[str, str]:
    """Return where a viewer came from; of search engines, what was searched for."""
    found = {"url": url or UNKNOWN, "medium": UNKNOWN, "source": UNKNOWN, "searchTerm": UNKNOWN}
    try:
        parts = urlsplit(url)
        names = (parts.hostname or "").split(".")
    except ValueError:
        return found
    engine = next((name for name in names[:-1] if name in _SEARCHES), None)
    if engine is not None:
        found |= {"medium": "organic", "source": f"{parts.scheme}://{parts.netloc}"}
        terms = parse_qs(parts.query).get(_SEARCHES[engine])
        found["searchTerm"] = terms[0] if terms else UNKNOWN
    return found


def event(row: Row[Any]) -> dict[str, Any]:
    """Return an event; positions are whole seconds, two of a seek and one of all others."""
    shown = {"type": row.type, "emittedAt": atom(row.emitted_at)}
    if row.from_s is None:
        return {**shown, "at": math.floor(row.at_s)}
    return {**shown, "from": math.floor(row.from_s), "to": math.floor(row.at_s)}


def _precisely(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
