from pathlib import Path

import pytest

from telecine.processes.exits import CannotGoOn, Exit
from telecine.processes.folder import DataFolder, prepare_store
from telecine.storage.store import RESERVED


def test_one_may_hold_a_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    assert not folder.is_claimed()
    with folder.claimed():
        assert folder.is_claimed()
        with pytest.raises(CannotGoOn, match="already runs") as refused, folder.claimed():
            pass
        assert refused.value.status == Exit.FOLDER_LOCKED
    assert not folder.is_claimed()


def test_what_a_dead_run_left_is_dropped(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.prepare(claimed=True)
    (folder.metrics / "counter_1.db").touch()
    folder.prepare(claimed=False)
    assert len(list(folder.metrics.iterdir())) == 1
    folder.prepare(claimed=True)
    assert list(folder.metrics.iterdir()) == []


def test_a_secret_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    secret = folder.secret("operator.key")
    assert folder.secret("operator.key") == secret
    assert len(secret) >= 32
    assert (tmp_path / "operator.key").stat().st_mode & 0o777 == 0o600
    assert folder.secret("secret.key") != secret


def test_too_little_room_is_named(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "not" / "there")
    folder.check_room(0)
    with pytest.raises(CannotGoOn, match="MiB are free") as refused:
        folder.check_room(1 << 40)
    assert refused.value.status == Exit.DISK_FULL


def test_a_store_on_disk_gets_its_folder_and_a_bucket_none(tmp_path: Path) -> None:
    prepare_store((tmp_path / "a b" / "media").as_uri(), claimed=False)
    assert (tmp_path / "a b" / "media").is_dir()
    prepare_store("s3://bucket/prefix", claimed=True)


def test_what_a_dead_run_left_half_written_is_dropped(tmp_path: Path) -> None:
    staged = tmp_path / RESERVED / "half"
    staged.parent.mkdir()
    staged.write_bytes(b"half")
    (tmp_path / "whole").write_bytes(b"whole")
    prepare_store(tmp_path.as_uri(), claimed=False)
    assert staged.exists(), "others may be writing"
    prepare_store(tmp_path.as_uri(), claimed=True)
    assert [each.name for each in tmp_path.iterdir()] == ["whole"]
