"""The only source of randomness: row keys, public ids, secrets."""

import hashlib
import secrets
import uuid

from telecine import clock

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PUBLIC_ID_CHARS = 22  # 62**22 > 2**128


def row_key() -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562, section 5.7): keys sort by creation time."""
    value = (clock.unix_ms() & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def public_id(prefix: str) -> str:
    """Return `prefix` and 22 base62 characters that carry 128 random bits."""
    number = secrets.randbits(128)
    digits = []
    for _ in range(_PUBLIC_ID_CHARS):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return prefix + "".join(digits)


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
