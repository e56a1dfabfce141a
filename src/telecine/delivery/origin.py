"""Where a request comes from, as far as it tells: the viewer's address, the page's host."""

from urllib.parse import urlsplit

from starlette.types import Scope


def address_of(scope: Scope) -> str:
    """Return the viewer's address, empty if it is unknown."""
    return scope["client"][0] if scope["client"] else ""


def referring_host(scope: Scope) -> str | None:
    """Return the host of the page that a request comes from, None if that is not told."""
    for name, value in scope["headers"]:
        if name == b"referer":
            try:
                return urlsplit(value.decode("latin-1")).hostname or ""
            except ValueError:
                return ""  # told, and of nobody
    return None
