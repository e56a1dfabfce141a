"""Keys under a passphrase, and media under them."""

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

from telecine.protocols.srt import packets
from telecine.protocols.srt.crypto import BOTH, EVEN, ODD, Keys, read_message, wrapping_key
from telecine.protocols.srt.handshake import BAD_CIPHER, BAD_SECRET, ROGUE, Rejected
from telecine.protocols.srt.listener import Closed, Listener, Media
from tests.fixtures.srt_wire import (
    ADDRESS,
    PASSPHRASE,
    SALT,
    SECRET,
    Network,
    SrtCaller,
    admitted,
    key_message,
    sealed,
    transmission,
)
from tests.unit.protocols.srt.test_receiver import link_of, media, numbered

FIRST_KEY, SECOND_KEY = bytes(range(32)), bytes(range(32, 64))


def test_keys_are_wrapped_as_the_standards_say() -> None:
    for key_bytes in (16, 24, 32):
        derived = PBKDF2HMAC(SHA1(), key_bytes, SALT[8:], 2048).derive(PASSPHRASE.encode())
        assert wrapping_key(PASSPHRASE, SALT, key_bytes) == derived
        told = read_message(key_message(ODD, FIRST_KEY[:key_bytes]))
        assert (told.which, told.salt, told.key_bytes) == (ODD, SALT, key_bytes)
        assert aes_key_unwrap(derived, told.wrapped) == FIRST_KEY[:key_bytes]


@pytest.mark.parametrize("key_bytes", [16, 24, 32])
def test_media_under_keys_of_every_length(key_bytes: int) -> None:
    even, odd = FIRST_KEY[:key_bytes], SECOND_KEY[:key_bytes]
    keys = Keys(PASSPHRASE)
    keys.take(key_message(BOTH, even + odd))
    text = b"some media " * 100
    for which, key in ((EVEN, even), (ODD, odd)):
        for sequence in (0, 1, 0x7FFF_FFFF):
            assert keys.opened(which, sequence, sealed(key, sequence, text)) == text
    assert keys.opened(EVEN, 1, sealed(odd, 1, text)) != text


def test_a_key_that_is_not_known_opens_nothing() -> None:
    keys = Keys(PASSPHRASE)
    keys.take(key_message(EVEN, FIRST_KEY))
    assert keys.opened(ODD, 1, b"x") is None
    assert keys.opened(BOTH, 1, b"x") is None
    keys.take(key_message(ODD, SECOND_KEY))
    assert keys.opened(ODD, 1, sealed(SECOND_KEY, 1, b"x")) == b"x"
    assert keys.opened(EVEN, 1, sealed(FIRST_KEY, 1, b"x")) == b"x"


GOOD = key_message(EVEN, FIRST_KEY)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", ROGUE),
        (GOOD[:-1], ROGUE),
        (GOOD + bytes(4), ROGUE),
        (b"\x22" + GOOD[1:], ROGUE),
        (GOOD[:1] + b"XX" + GOOD[3:], ROGUE),
        (GOOD[:3] + b"\0" + GOOD[4:], ROGUE),
        (GOOD[:3] + bytes([BOTH]) + GOOD[4:], ROGUE),
        (GOOD[:8] + b"\x03\x01" + GOOD[10:], BAD_CIPHER),
        (GOOD[:14] + b"\x00" + GOOD[15:], ROGUE),
        (GOOD[:15] + b"\x09" + GOOD[16:], ROGUE),
        (GOOD[:-1] + b"\x00", BAD_SECRET),
        (key_message(EVEN, FIRST_KEY, "another passphrase"), BAD_SECRET),
    ],
)
def test_messages_that_give_no_key(message: bytes, code: int) -> None:
    with pytest.raises(Rejected) as refused:
        Keys(PASSPHRASE).take(message)
    assert refused.value.code == code


def test_keys_change_while_media_flows_through_a_bad_network() -> None:
    listener = Listener(SECRET, PASSPHRASE)
    caller = SrtCaller(message=key_message(EVEN, FIRST_KEY), key=FIRST_KEY)
    admitted(listener, caller)
    both = key_message(BOTH, FIRST_KEY + SECOND_KEY)

    def change(now_s: float) -> None:
        answers = [each for each in caller.answers if each.kind == packets.USER]
        if now_s >= 0.5 and not answers and round(now_s * 1000) % 20 == 0:
            caller.control(packets.USER, both, packets.KEY_REQUEST)
        if answers:
            assert (answers[0].subtype, answers[0].content) == (packets.KEY_ANSWER, both)
            caller.key, caller.which = SECOND_KEY, ODD

    network = Network(7, lost=0.05, late=0.2, delay_s=0.005)
    events = transmission(listener, caller, network, numbered(1500), after=change)
    assert caller.which == ODD
    assert media(events) == list(numbered(1500))
    assert link_of(events).counts.dropped == 0


def test_what_is_not_encrypted_is_not_taken_where_it_must_be() -> None:
    listener = Listener(SECRET, PASSPHRASE)
    caller = SrtCaller(message=key_message(EVEN, FIRST_KEY))
    admitted(listener, caller)
    caller.send(b"in the clear", 0)
    caller.key, caller.sequence = FIRST_KEY, caller.sequence - 1
    caller.send(b"secret", 0)
    clear, encrypted = caller.out
    assert listener.receive(clear, ADDRESS, 0) == []
    (event,) = listener.receive(encrypted, ADDRESS, 0)
    assert isinstance(event, Media)
    assert event.payload == b"secret"


def test_keys_under_another_passphrase_end_the_connection() -> None:
    listener = Listener(SECRET, PASSPHRASE)
    caller = SrtCaller(message=key_message(EVEN, FIRST_KEY))
    admitted(listener, caller)
    wrong = key_message(ODD, SECOND_KEY, "another passphrase")
    caller.control(packets.USER, wrong, packets.KEY_REQUEST)
    (event,) = listener.receive(caller.out[0], ADDRESS, 0)
    assert isinstance(event, Closed)
    assert event.reason == "another passphrase"
    assert listener.idle
