import uuid
from datetime import UTC, datetime, timedelta

import pytest

from telecine.domains.videos import tokens

KEY = b"k" * 32
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def test_a_token_looks_like_a_uuid_of_version_4() -> None:
    for _ in range(200):
        token = tokens.issue(KEY, "vi1", NOW)
        parsed = uuid.UUID(token)
        assert str(parsed) == token
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)


def test_tokens_of_one_moment_differ() -> None:
    assert len({tokens.issue(KEY, "vi1", NOW) for _ in range(1000)}) == 1000


def test_a_token_opens_its_own_media_only() -> None:
    token = tokens.issue(KEY, "vi1", NOW)
    assert tokens.verify(KEY, "vi1", token, NOW)
    assert not tokens.verify(KEY, "vi2", token, NOW)
    assert not tokens.verify(b"x" * 32, "vi1", token, NOW)


def test_a_changed_digit_is_noticed_wherever_it_is() -> None:
    token = tokens.issue(KEY, "vi1", NOW)
    for place, digit in enumerate(token):
        other = "0" if digit != "0" else "1"
        if digit != "-":
            changed = token[:place] + other + token[place + 1 :]
            assert not tokens.verify(KEY, "vi1", changed, NOW)


@pytest.mark.parametrize(
    "token", ["", "x", "0" * 36, str(uuid.UUID(int=0)), "7a41dbaf-9d31-4343-9db6-14b2cb2cd257"]
)
def test_foreign_text_is_no_token(token: str) -> None:
    assert not tokens.verify(KEY, "vi1", token, NOW)


def test_one_token_has_one_spelling() -> None:
    token = tokens.issue(KEY, "vi1", NOW)
    for spelling in (token.upper(), token.replace("-", ""), "{" + token + "}"):
        assert spelling == token or not tokens.verify(KEY, "vi1", spelling, NOW)


def test_an_unused_token_expires_after_a_day() -> None:
    token = tokens.issue(KEY, "vi1", NOW)
    assert tokens.verify(KEY, "vi1", token, NOW + timedelta(hours=24))
    assert not tokens.verify(KEY, "vi1", token, NOW + timedelta(hours=25))
    assert tokens.verify(KEY, "vi1", token, NOW + timedelta(hours=25), timedelta(days=2))


def test_a_clock_may_be_behind_by_less_than_an_hour() -> None:
    token = tokens.issue(KEY, "vi1", NOW)
    assert tokens.verify(KEY, "vi1", token, NOW - timedelta(minutes=40))
    assert not tokens.verify(KEY, "vi1", token, NOW - timedelta(hours=2))
