"""Texts in the content codings that viewers take (RFC 9110, section 8.4).

A text that all viewers get is compressed once and remembered; who has it already is told so
before anything is compressed. Scripts are compressed when they are built (`front_end`).
"""

import gzip
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock

from starlette.types import Scope

from telecine.last_used import LastUsed

__all__ = ["CODINGS", "WORTH_BYTES", "Packed", "acceptable", "coding_for", "pack", "zstd"]

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CODINGS = ("zstd", "gzip")
"""What texts are compressed by, best first."""

WORTH_BYTES = 256
"""Below this a text with its headers fills one packet either way."""

_REMEMBERED_BYTES = 32 << 20  # some hundred films' playlists, a thousand pages
_ONCE = {"zstd": 1, "gzip": 1}  # levels: in a fraction of the time, a third larger
_FOR_ALL = {"zstd": 9, "gzip": 9}

_REFUSED = re.compile(r"q\s*=\s*0(\.0{0,3})?")


@lru_cache(maxsize=256)
def acceptable(header: str, codings: Sequence[str]) -> tuple[str, ...]:
    """Return which of `codings` an Accept-Encoding header takes (RFC 9110, 12.5.3).

    A weight of 0 refuses one, and `*` stands for all that are not named.
    """
    weights: dict[str, bool] = {}
    for part in header.split(","):
        coding, *parameters = (word.strip().lower() for word in part.split(";"))
        weights[coding] = not any(_REFUSED.fullmatch(each) for each in parameters)
    rest = weights.get("*", False)
    return tuple(name for name in codings if weights.get(name, rest))


def coding_for(scope: Scope) -> str | None:
    """Return how a client wants its texts, None: as they are."""
    header = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    return next(iter(acceptable(header.decode("latin-1"), CODINGS)), None)


def pack(body: bytes, coding: str) -> bytes:
    """Compress what is sent once."""
    return _compress(body, coding, _ONCE[coding])


class Packed:
    """What was compressed for all, by its entity tag; the least used is forgotten first."""

    def __init__(self, limit_bytes: int = _REMEMBERED_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._kept = LastUsed[bytes, bytes](limit_bytes, len)
        self._lock = Lock()  # files are compressed in threads

    def get(self, etag: bytes) -> bytes | None:
        """Return what was compressed under an entity tag, None if it is not there any more."""
        with self._lock:
            return self._kept.get(etag)

    def pack(self, etag: bytes, body: bytes, coding: str) -> bytes:
        """Compress `body` well, and remember it: `etag` is of this body in this coding."""
        found = self.get(etag)
        if found is None:
            found = _compress(body, coding, _FOR_ALL[coding])
            if len(found) <= self._limit_bytes:
                with self._lock:
                    self._kept.put(etag, found)
        return found


def _compress(body: bytes, coding: str, level: int) -> bytes:
    if coding == "zstd":
        return zstd.compress(body, level)
    return gzip.compress(body, level, mtime=0)
