"""Signed URLs: tokens of private media that a customer's own server makes, without asking us.

A token is `keyId~expires~address~host~signature`. `expires` is in Unix seconds; `address`
and `host` may be empty, else they bind the token to a viewer's IP address and to the host
of the page that embeds the media. The signature is the HMAC-SHA256 over the media's id,
`~`, and everything before the last `~`, as base64url without padding; the key is the
secret of the signing key. It opens its media as often as wanted until it expires.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address

from telecine import ids

PATTERN = r"sk[0-9A-Za-z]{22}~[0-9]{1,11}~[0-9A-Fa-f.:]{0,45}~[0-9a-z.-]{0,253}~[0-9A-Za-z_-]{43}"
"""What a signed token looks like, as an expression."""

KEY_PREFIX = "sk"
_JOINT = "~"


@dataclass(frozen=True, slots=True)
class Signature:
    """A token taken to pieces; nothing of it is proved yet."""

    key_id: str
    expires_at: datetime
    address: str
    host: str
    signed: str
    code: str

    @classmethod
    def parse(cls, token: str) -> "Signature | None":
        """Return the parts of a token, None if it is of another kind."""
        parts = token.split(_JOINT)
        if len(parts) != 5 or not parts[0].startswith(KEY_PREFIX):
            return None
        key_id, expires, address, host, code = parts
        try:
            expires_at = datetime.fromtimestamp(int(expires), UTC)
        except (ValueError, OverflowError, OSError):
            return None
        return cls(key_id, expires_at, address, host, token.rpartition(_JOINT)[0], code)

    @property
    def is_bound(self) -> bool:
        """Tell whether it opens the media for some viewers only."""
        return bool(self.address or self.host)

    def verify(self, secret: str, media_id: str, now: datetime) -> bool:
        """Tell whether the key signed this for this media, and it has not expired."""
        expected = sign(secret, media_id, self.signed).rpartition(_JOINT)[2]
        return ids.same(self.code.encode(), expected.encode()) and now < self.expires_at

    def is_of(self, address: str) -> bool:
        """Tell whether a viewer with this address may use it."""
        return not self.address or _canonical(self.address) == _canonical(address)


def sign(secret: str, media_id: str, unsigned: str) -> str:
    """Return a token: `unsigned` is all of it that comes before the signature."""
    message = f"{media_id}{_JOINT}{unsigned}".encode()
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)
    return f"{unsigned}{_JOINT}{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _canonical(address: str) -> str:
    """Return one spelling for all of an address; IPv4 inside IPv6 is IPv4."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)
