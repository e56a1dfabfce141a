"""Secrets that must be shown again are stored sealed: encrypted, with the key's id in front.

AES-256-GCM under keys derived from the installation's master secrets. The first secret
seals; the others, which it replaced, still open what they sealed.
"""

import hmac
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from telecine import ids

_PURPOSE = b"telecine: sealed secrets"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12


class SealError(Exception):
    """What is sealed cannot be opened: another key sealed it, or it was changed."""


class Sealer:
    """Seals and opens secrets. `masters` are one master secret or more, newest first."""

    def __init__(self, masters: Sequence[str]) -> None:
        derived = [hmac.digest(master.encode(), _PURPOSE, "sha256") for master in masters]
        self._newest = _key_id(derived[0])
        self._keys = {_key_id(key): AESGCM(key) for key in derived}

    def seal(self, secret: str, place: str) -> bytes:
        """Return `secret` sealed for one place, such as the id of the row that holds it."""
        nonce = ids.random_bytes(_NONCE_BYTES)
        encrypted = self._keys[self._newest].encrypt(nonce, secret.encode(), place.encode())
        return self._newest + nonce + encrypted

    def open(self, sealed: bytes, place: str) -> str:
        """Return what was sealed for that very place.

        Raises:
            SealError: it was not, or its key is not among ours.
        """
        key_id, rest = sealed[:_KEY_ID_BYTES], sealed[_KEY_ID_BYTES:]
        key = self._keys.get(key_id)
        if key is None:
            msg = f"{place} was sealed with the secret key {key_id.hex()}, which is not set"
            raise SealError(msg)
        try:
            opened = key.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], place.encode())
        except InvalidTag as error:
            msg = f"{place}: what is sealed was changed"
            raise SealError(msg) from error
        return opened.decode()


def _key_id(key: bytes) -> bytes:
    return hmac.digest(key, b"id", "sha256")[:_KEY_ID_BYTES]
