"""How media is encrypted: keys under a passphrase, AES in counter mode (section 6)."""

import hashlib
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from telecine.protocols.srt.handshake import BAD_CIPHER, BAD_SECRET, ROGUE, Rejected

EVEN, ODD, BOTH = 1, 2, 3

_ROUNDS = 2048
_MESSAGE = 0x12  # version 1, a message about keys
_SIGN = 0x2029
_COUNTER_MODE = 2
_CHECK_BYTES = 8
_SALT_BYTES = 16
_KEY_BYTES = (16, 24, 32)
_HEAD_BYTES = 16
_MAX_MESSAGE_BYTES = _HEAD_BYTES + _SALT_BYTES + _CHECK_BYTES + 2 * 32


@dataclass(frozen=True, slots=True)
class KeyMessage:
    """A message about keys. `which` of them are in `wrapped`, even before odd."""

    which: int
    salt: bytes
    wrapped: bytes
    key_bytes: int


def read_message(message: bytes) -> KeyMessage:
    """Read a message about keys. Raises Rejected: broken, or a cipher that we do not have."""
    if not _HEAD_BYTES < len(message) <= _MAX_MESSAGE_BYTES:
        raise Rejected(ROGUE, f"a message about keys of {len(message)} bytes")
    kind, sign, which = struct.unpack_from(">BHB", message)
    cipher, authentication = message[8], message[9]
    salt_words, key_words = message[14], message[15]
    which &= BOTH
    if kind != _MESSAGE or sign != _SIGN or not which:
        raise Rejected(ROGUE, "no message about keys")
    if cipher != _COUNTER_MODE or authentication:
        raise Rejected(BAD_CIPHER, f"cipher {cipher}, authentication {authentication}")
    key_bytes, salt_bytes = 4 * key_words, 4 * salt_words
    expected = _HEAD_BYTES + salt_bytes + _CHECK_BYTES + key_bytes * (2 if which == BOTH else 1)
    if salt_bytes != _SALT_BYTES or key_bytes not in _KEY_BYTES or len(message) != expected:
        raise Rejected(ROGUE, "a message about keys of the wrong length")
    salt_end = _HEAD_BYTES + salt_bytes
    return KeyMessage(which, message[_HEAD_BYTES:salt_end], message[salt_end:], key_bytes)


def wrapping_key(passphrase: str, salt: bytes, key_bytes: int) -> bytes:
    """Return the key that keys are wrapped with; takes about a millisecond."""
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode(), salt[-8:], _ROUNDS, key_bytes)


class Keys:
    """The keys of one caller, who changes them from time to time."""

    def __init__(self, passphrase: str) -> None:
        self._passphrase = passphrase
        self._message: bytes | None = None
        self._wrapping: tuple[bytes, bytes] | None = None  # of a salt and a length
        self._ciphers: dict[int, tuple[algorithms.AES, bytes]] = {}

    def take(self, message: bytes) -> None:
        """Learn keys from a message, often one that was sent before.

        Raises:
            Rejected: broken, or under another passphrase.
        """
        if message == self._message:
            return
        told = read_message(message)
        place = told.salt + bytes([told.key_bytes])
        if self._wrapping is None or self._wrapping[0] != place:
            made = wrapping_key(self._passphrase, told.salt, told.key_bytes)
            self._wrapping = place, made
        try:
            keys = aes_key_unwrap(self._wrapping[1], told.wrapped)
        except (InvalidUnwrap, ValueError) as error:
            raise Rejected(BAD_SECRET, "another passphrase") from error
        for which in (EVEN, ODD):
            if told.which & which:
                key, keys = keys[: told.key_bytes], keys[told.key_bytes :]
                self._ciphers[which] = algorithms.AES(key), told.salt
        self._message = message

    def opened(self, which: int, sequence: int, payload: bytes) -> bytes | None:
        """Return what a packet holds; None: we do not have the key, perhaps not yet."""
        found = self._ciphers.get(which)
        if found is None:
            return None
        key, salt = found
        return Cipher(key, modes.CTR(_counter(salt, sequence))).decryptor().update(payload)


def _counter(salt: bytes, sequence: int) -> bytes:
    """Return the first counter block of a packet: its number within the salt, and zeros."""
    value = int.from_bytes(salt[:14]) ^ sequence & 0xFFFF_FFFF
    return value.to_bytes(14) + b"\0\0"
