"""Sessions of private media (`avh`): what a used token leaves behind, for a day.

A session is when it ends and an HMAC-SHA256 over that and the media's id, so it proves
itself: no segment costs a look into the database.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from telecine import ids

LIFETIME = timedelta(hours=24)

_TIME_BYTES, _MAC_BYTES = 5, 16
_CHARS = (_TIME_BYTES + _MAC_BYTES) // 3 * 4
_PURPOSE = b"session\0"


def issue(key: bytes, media_id: str, since: datetime) -> str:
    """Return the session that began `since` for a media: 28 characters, fit for URLs."""
    end = int((since + LIFETIME).timestamp()).to_bytes(_TIME_BYTES)
    return base64.urlsafe_b64encode(end + _mac(key, media_id, end)).decode()


def verify(key: bytes, media_id: str, session: str, now: datetime) -> bool:
    """Tell whether we issued this session for this media, and it has not ended."""
    end = end_of(key, media_id, session)
    return end is not None and now < end


def end_of(key: bytes, media_id: str, session: str) -> datetime | None:
    """Return when a session ends that we issued for this media, None if we did not."""
    if len(session) != _CHARS:
        return None
    try:
        data = base64.b64decode(session.encode("ascii"), b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    end, mac = data[:_TIME_BYTES], data[_TIME_BYTES:]
    if not ids.same(mac, _mac(key, media_id, end)):
        return None
    return datetime.fromtimestamp(int.from_bytes(end), UTC)


def _mac(key: bytes, media_id: str, end: bytes) -> bytes:
    digest = hmac.digest(key, _PURPOSE + end + media_id.encode(), hashlib.sha256)
    return digest[:_MAC_BYTES]
