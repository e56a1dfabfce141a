from pathlib import Path

import pytest

from telecine.db import account
from telecine.db.account import Account, AccountError, blocked_folder, reaching

STRANGER = Account(uid=54321, gid=54321)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder below one that only its owner may enter."""
    (tmp_path / "closed" / "data").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    return tmp_path / "closed" / "data"


def test_the_outermost_closed_folder_is_found(closed: Path) -> None:
    blocked = blocked_folder(closed, STRANGER)
    assert blocked is not None
    assert blocked in (closed.parent, *closed.parent.parents)


def test_the_owner_is_not_blocked(closed: Path) -> None:
    status = closed.stat()
    assert blocked_folder(closed, Account(status.st_uid, status.st_gid)) is None


def test_an_open_way_needs_nothing() -> None:
    assert reaching(STRANGER, [Path("/usr")]) == STRANGER


def test_a_closed_way_needs_the_capability(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "_has_capability", lambda _: True)
    assert reaching(STRANGER, [closed]) == Account(54321, 54321, search=True)


def test_without_it_the_message_names_the_folder(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "_has_capability", lambda _: False)
    blocked = blocked_folder(closed, STRANGER)
    with pytest.raises(AccountError, match=f"{blocked} has mode 7.0.*DATABASE_URL"):
        reaching(STRANGER, [closed])
