"""Where a request comes from, as far as it tells: the viewer's address, the page's host."""

from urllib.parse import urlsplit

from starlette.types import Scope

EMBEDDER = b"telecine-embedder"
"""The header in which a player page tells the origin of the page that embeds it (`media.ts`)."""


def address_of(scope: Scope) -> str:
    """Return the viewer's address, empty if it is unknown."""
    return scope["client"][0] if scope["client"] else ""


def sites_of(scope: Scope) -> set[str | None]:
    """Return the hosts of the pages that want what is asked for, None for one that is not told.

    It is the page that a request comes from. A player page that fetches another in its place,
    because the page around it asked for that, tells that one as well: each must be allowed, so
    nobody gains by telling.
    """
    told = {name: value for name, value in scope["headers"] if name in {b"referer", EMBEDDER}}
    sites = {_host_of(told.get(b"referer"))}
    return sites | {_host_of(told[EMBEDDER])} if EMBEDDER in told else sites


def _host_of(url: bytes | None) -> str | None:
    if url is None:
        return None
    try:
        return urlsplit(url.decode("latin-1")).hostname or ""
    except ValueError:
        return ""  # told, and of nobody
