"""The only source of randomness: row keys, public ids, secrets."""

import hashlib
import secrets
import threading
import uuid

from telecine import clock

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PUBLIC_ID_CHARS = 22  # 62**22 > 2**128


_sequence = threading.Lock()
_last_sequence = 0


def row_key() -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562, section 5.7): keys of a process ascend strictly.

    The 12 bits after the milliseconds count within one (section 6.2, method 1), so
    rows of one transaction keep their order.
    """
    global _last_sequence  # noqa: PLW0603  # the counter is the point
    with _sequence:
        fresh = clock.unix_ms() << 12 | secrets.randbits(8)
        _last_sequence = max(fresh, _last_sequence + 1)
        milliseconds, counter = divmod(_last_sequence, 1 << 12)
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | counter << 64
    return uuid.UUID(int=value | 0x2 << 62 | secrets.randbits(62))


def public_id(prefix: str) -> str:
    """Return `prefix` and 22 base62 characters that carry 128 random bits."""
    return prefix + _base62(secrets.randbits(128))


def named_id(prefix: str, digest_bytes: bytes) -> str:
    """Return an id as `public_id` does, made of the first 128 bits of a digest."""
    return prefix + _base62(int.from_bytes(digest_bytes[:16]))


def _base62(number: int) -> str:
    digits = []
    for _ in range(_PUBLIC_ID_CHARS):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(digits)


def stream_key() -> str:
    """Return a key to publish with: a version 4 UUID, of 122 random bits."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def secret(prefix: str = "") -> str:
    """Return a URL-safe secret of 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def random_bytes(count: int) -> bytes:
    """Return `count` random bytes fit for keys."""
    return secrets.token_bytes(count)


def nonce() -> str:
    """Return 12 random characters for names that must not collide."""
    return secrets.token_hex(6)


def digest(secret_text: str) -> bytes:
    """Return the SHA-256 under which a secret is stored (32 bytes).

    A plain hash is enough because our secrets hold 128 random bits or more.
    """
    return hashlib.sha256(secret_text.encode()).digest()


def same(left: bytes, right: bytes) -> bool:
    """Compare two secrets in constant time."""
    return secrets.compare_digest(left, right)
