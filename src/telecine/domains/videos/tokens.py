"""One-time tokens of private media: made by every response, stored only once used.

A token is a UUID version 4 by its looks (clients know no other form). Its 122 free
bits are, from the top: 20 of the hour, 38 random, 64 of an HMAC-SHA256 over the media's
id and the other 58. So it proves itself without a row in a table.
"""

import hashlib
import hmac
import uuid
from datetime import UTC, datetime, timedelta

from telecine import ids

LIFETIME = timedelta(hours=24)
"""How long an unused token can be used, rounded up to whole hours."""

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_HOUR_BITS, _RANDOM_BITS, _MAC_BITS = 20, 38, 64


def issue(key: bytes, media_id: str, now: datetime) -> str:
    """Return a fresh token for the media with this public id."""
    hour = (now - _EPOCH) // _HOUR
    random = int.from_bytes(ids.random_bytes(5)) >> 40 - _RANDOM_BITS
    head = hour << _RANDOM_BITS | random
    return _spread(head << _MAC_BITS | _mac(key, media_id, head))


def verify(
    key: bytes, media_id: str, token: str, now: datetime, lifetime: timedelta = LIFETIME
) -> bool:
    """Tell whether we issued this token for this media, not longer ago than `lifetime`."""
    value = _gather(token)
    if value is None:
        return False
    head, mac = value >> _MAC_BITS, value & (1 << _MAC_BITS) - 1
    expected = _mac(key, media_id, head)
    if not ids.same(mac.to_bytes(8), expected.to_bytes(8)):
        return False
    age = (now - _EPOCH) // _HOUR - (head >> _RANDOM_BITS)
    # Another host's clock may be a moment ahead of ours at the turn of the hour.
    return timedelta(hours=-1) <= age * _HOUR <= lifetime


def _mac(key: bytes, media_id: str, head: int) -> int:
    message = head.to_bytes(8) + media_id.encode()
    digest = hmac.digest(key, message, hashlib.sha256)
    return int.from_bytes(digest[: _MAC_BITS // 8])


def _spread(value: int) -> str:
    """Put 122 bits around the six that say "version 4" (RFC 9562, 5.4)."""
    top, middle, low = value >> 74, value >> 62 & 0xFFF, value & (1 << 62) - 1
    return str(uuid.UUID(int=top << 80 | 0x4 << 76 | middle << 64 | 0x2 << 62 | low))


def _gather(token: str) -> int | None:
    try:
        parsed = uuid.UUID(token)
    except ValueError:
        return None
    if parsed.version != 4 or str(parsed) != token:
        return None
    number = parsed.int
    return number >> 80 << 74 | (number >> 64 & 0xFFF) << 62 | number & (1 << 62) - 1
