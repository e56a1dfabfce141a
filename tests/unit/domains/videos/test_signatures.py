import re
from datetime import UTC, datetime, timedelta

import pytest

from telecine.domains.videos import signatures
from telecine.domains.videos.signatures import Signature, sign

SECRET = "s" * 43
KEY = "sk" + "0" * 22
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
END = int((NOW + timedelta(minutes=5)).timestamp())


def made(address: str = "", host: str = "", end: int = END) -> str:
    return sign(SECRET, "vi1", f"{KEY}~{end}~{address}~{host}")


def opened(token: str, media_id: str = "vi1", secret: str = SECRET, now: datetime = NOW) -> bool:
    signature = Signature.parse(token)
    return signature is not None and signature.verify(secret, media_id, now)


def test_a_signature_opens_its_own_media_until_it_expires() -> None:
    token = made()
    assert re.fullmatch(signatures.PATTERN, token)
    assert opened(token)
    assert not opened(token, media_id="vi2")
    assert not opened(token, secret="x" * 43)
    assert opened(token, now=NOW + timedelta(minutes=5, seconds=-1))
    assert not opened(token, now=NOW + timedelta(minutes=5))


def test_a_changed_character_is_noticed_wherever_it_is() -> None:
    token = made("203.0.113.7", "shop.example")
    for place, letter in enumerate(token):
        other = "1" if letter != "1" else "2"
        assert not opened(token[:place] + other + token[place + 1 :]), place


@pytest.mark.parametrize(
    "token",
    ["", "~", "~~~~", f"{KEY}~~~~x", f"{KEY}~-1~~~é", f"{KEY}~{'9' * 11}~~~x", f"{KEY}~x~~~x",
     "00000000-0000-4000-8000-000000000000", f"{made()}~x"],
)  # fmt: skip
def test_what_is_none_opens_nothing(token: str) -> None:
    assert not opened(token)


@pytest.mark.parametrize(
    ("bound", "viewer", "right"),
    [
        ("", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("203.0.113.7", "203.0.113.70", False),
        ("203.0.113.7", "", False),
        ("2001:db8::1", "2001:0DB8:0:0::1", True),
        ("2001:db8::1", "2001:db8::2", False),
    ],
)
def test_an_address_has_many_spellings(bound: str, viewer: str, right: bool) -> None:
    signature = Signature.parse(made(bound))
    assert signature is not None
    assert signature.is_of(viewer) is right
    assert signature.is_bound is bool(bound)
