"""What a player tells with a request: Common Media Client Data (CTA-5004).

It comes as the parameter `CMCD` of the query or in headers. Read are version 1 and, of version
2, what goes with requests. All of it is a stranger's: what cannot be is left out and counted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from telecine.protocols.errors import ProtocolError

MAX_BYTES = 4096
"""Players send a few hundred."""

MAX_SESSION_CHARS = 64

_HEADERS = frozenset({b"cmcd-request", b"cmcd-object", b"cmcd-status", b"cmcd-session"})
_PARAMETER = re.compile(rb"(?:^|&)CMCD=([^&]*)")
_TEXT = r'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(
    rf" *([A-Za-z][A-Za-z0-9_.-]{{0,63}})"
    rf"(?:=({_TEXT}|\((?:[^()\"]|{_TEXT})*\)|[^\",()]*))?(?:;[^\",]*)? *(?:,|$)"
)
_NUMBER = re.compile(r"(\d{1,12})(?:\.\d{1,6})?")
_INNER = re.compile(r"(\d{1,12})(?:\.\d{1,6})?((?:;[a-z0-9=]{1,8})*)(?: +|$)")
_SESSION = re.compile(r"[!-~]{1,64}")
_TRUE, _FALSE = ("?1", "true"), ("?0", "false")

_HOUR_MS = 3_600_000
_MOST_KBPS = 10_000_000
_LIMITS = {
    "bl": 24 * _HOUR_MS,
    "br": _MOST_KBPS,
    "mtp": _MOST_KBPS,
    "d": _HOUR_MS,
    "msd": _HOUR_MS,
    "bsd": _HOUR_MS,
}
"""The numbers that are read, and up to where they can be true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientData:
    """What a request tells; None: nothing of it. `invalid` counts what could not be read.

    `buffer_ms` is how much was there to be played (`bl`), `starved`: it ran out since the
    request before (`bs`), `urgent`: what is asked for is needed at once (`su`), `stall_ms` how
    long the last wait was (`bsd`), `start_ms` how long the start took (`msd`). `follows`: the
    player knows what it asks for next. `failed`: it has given up (`sta=f`).
    """

    session: str
    buffer_ms: int | None = None
    starved: bool = False
    urgent: bool = False
    bitrate_kbps: int | None = None
    throughput_kbps: int | None = None
    duration_ms: int | None = None
    start_ms: int | None = None
    stall_ms: int | None = None
    follows: bool = False
    failed: bool = False
    invalid: int = 0


def read(query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> ClientData | None:
    """Return what a request tells, None if it tells nothing (most of them).

    `headers` have names in lower case.

    Raises:
        ProtocolError: it is too long, cannot be read, or does not say whose it is.
    """
    found = [value for name, value in headers if name in _HEADERS]
    if b"CMCD=" in query:
        given = [match[1] for match in _PARAMETER.finditer(query)]
        if sum(map(len, given)) > 3 * MAX_BYTES:  # each byte may be three
            raise ProtocolError("too much client data")
        found += [unquote_to_bytes(each) for each in given]
    if not found:
        return None
    text = b",".join(each for each in found if each).decode("utf-8", "replace")
    if len(text) > MAX_BYTES:
        raise ProtocolError("too much client data")
    return _data(_pairs(text))


def _pairs(text: str) -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            raise ProtocolError("client data that cannot be read")
        found[pair[1]] = pair[2]
        at = pair.end()
    return found


def _data(pairs: Mapping[str, str | None]) -> ClientData:
    session = _unquoted(pairs.get("sid") or "")
    if _SESSION.fullmatch(session) is None:
        raise ProtocolError("client data without a session")
    numbers = {name: _number(name, pairs[name]) for name in _LIMITS if name in pairs}
    flags = {name: _flag(pairs[name]) for name in ("bs", "su") if name in pairs}
    return ClientData(
        session=session,
        buffer_ms=numbers.get("bl"),
        starved=flags.get("bs") is True,
        urgent=flags.get("su") is True,
        bitrate_kbps=numbers.get("br") or None,
        throughput_kbps=numbers.get("mtp") or None,
        duration_ms=numbers.get("d"),
        start_ms=numbers.get("msd"),
        stall_ms=numbers.get("bsd"),
        follows="nor" in pairs or "nrr" in pairs,
        failed=pairs.get("sta") == "f",
        invalid=sum(each is None for each in (*numbers.values(), *flags.values())),
    )


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _number(name: str, value: str | None) -> int | None:
    """Return a number, of a list that of the picture; of buffers the one that ends first."""
    if value is None:
        return None
    if value.startswith("("):
        inner = value[1:-1].strip()
        items = list(_INNER.finditer(inner))
        if not items or "".join(each[0] for each in items) != inner:
            return None
        shown = next((each for each in items if ";v" in each[2] or ";av" in each[2]), items[0])
        number = min(int(each[1]) for each in items) if name == "bl" else int(shown[1])
    elif plain := _NUMBER.fullmatch(value):
        number = int(plain[1])
    else:
        return None
    return number if number <= _LIMITS[name] else None


def _flag(value: str | None) -> bool | None:
    if value is None or value in _TRUE:
        return True
    return False if value in _FALSE else None
