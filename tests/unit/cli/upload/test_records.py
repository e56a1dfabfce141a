import json
import os
from pathlib import Path

import pytest

from telecine.cli.upload.api import Video
from telecine.cli.upload.files import Identity
from telecine.cli.upload.records import Record, Records, default_folder
from telecine.processes.exits import CannotGoOn

SERVER = "http://telecine.test"
VIDEO = Video("vi1", "a", "player", "hls", None)


def record(path: Path) -> Record:
    return Record(SERVER, str(path), Identity(10, 20), 5, video=VIDEO, answered=[3, 1])


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def records(tmp_path: Path, notes: list[str]) -> Records:
    return Records(tmp_path / "state" / "uploads", notes.append)


def stored(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "state" / "uploads").iterdir())


def test_what_is_saved_is_there_for_the_next_command(records: Records, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with records.hold(SERVER, path) as held:
        assert held.load() is None
        held.save(record(path))
    with records.hold(SERVER, path) as held:
        found = held.load()
        assert found is not None
        assert (found.server, found.path, found.video) == (SERVER, str(path), VIDEO)
        assert (found.file, found.part_bytes, found.answered) == (Identity(10, 20), 5, [3, 1])
        held.drop()
    assert stored(tmp_path) == []


def test_only_the_user_can_read_it(records: Records, tmp_path: Path) -> None:
    with records.hold(SERVER, tmp_path / "a.mp4") as held:
        held.save(record(tmp_path / "a.mp4"))
    assert {path.stat().st_mode & 0o777 for path in stored(tmp_path)} == {0o600}


def test_it_is_on_the_disk_before_it_is_in_place(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        order.append("sync")
        fsync(descriptor)

    def place(path: Path, target: Path) -> Path:
        order.append("place")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", place)
    with records.hold(SERVER, tmp_path / "a.mp4") as held:
        held.save(record(tmp_path / "a.mp4"))
    assert order == ["sync", "place", "sync"]


def test_files_and_servers_are_told_apart(records: Records, tmp_path: Path) -> None:
    with records.hold(SERVER, tmp_path / "a.mp4") as held:
        held.save(record(tmp_path / "a.mp4"))
        for server, name in [("http://other.test", "a.mp4"), (SERVER, "b.mp4")]:
            with records.hold(server, tmp_path / name) as other:
                assert other.load() is None


def test_a_second_command_for_the_same_file_is_refused(records: Records, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with (
        records.hold(SERVER, path),
        pytest.raises(CannotGoOn, match="Another command"),
        records.hold(SERVER, path),
    ):
        pass
    with records.hold(SERVER, path):
        pass


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 1}', '{"version": 99}', "\0", '{"version": 1, "x": 2}']
)
def test_what_cannot_be_understood_is_forgotten(
    records: Records, tmp_path: Path, text: str
) -> None:
    with records.hold(SERVER, tmp_path / "a.mp4") as held:
        held.save(record(tmp_path / "a.mp4"))
        (path,) = [each for each in stored(tmp_path) if each.suffix == ".json"]
        path.write_text(text)
        assert held.load() is None


def test_no_secret_is_kept(records: Records, tmp_path: Path) -> None:
    assert set(json.loads(record(tmp_path / "a.mp4").to_json())) == {
        *("version", "server", "path", "file", "part_bytes"),
        *("creation_key", "video", "answered"),
    }


def test_where_nothing_can_be_kept_uploads_go_on_without(tmp_path: Path, notes: list[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    records = Records(tmp_path / "file" / "uploads", notes.append)
    with records.hold(SERVER, tmp_path / "a.mp4") as held:
        held.save(record(tmp_path / "a.mp4"))
        assert held.load() is None
        held.drop()
    assert len(notes) == 1
    assert "XDG_STATE_HOME" in notes[0]


@pytest.mark.parametrize(
    ("state", "expected"),
    [("/var/state", "/var/state"), ("", "/home/u/.local/state"), ("x", "/home/u/.local/state")],
)
def test_the_folder_is_where_the_desktop_keeps_state(
    monkeypatch: pytest.MonkeyPatch, state: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("XDG_STATE_HOME", state)
    assert default_folder() == Path(expected) / "telecine" / "uploads"
