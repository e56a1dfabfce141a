import os
from pathlib import Path

import pytest

from telecine.cli.upload.files import find, opened
from telecine.processes.exits import CannotGoOn

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ["b.MP4", "a.mkv", "sub/c.mov", "sub/notes.txt", ".hidden.mp4", ".git/d.mp4"]:
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "films"


def names(paths: list[Path], *include: str) -> list[str]:
    return [each.name for each in find(paths, include)]


def test_a_folder_means_the_media_in_it_sorted_at_any_depth(folder: Path) -> None:
    assert names([folder]) == ["a.mkv", "b.MP4", "sub/c.mov"]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (["*.txt"], ["sub/notes.txt"]),
        (["sub/*"], ["sub/c.mov", "sub/notes.txt"]),
        (["a.*", "c.mov"], ["a.mkv", "sub/c.mov"]),
        (["*.avi"], []),
    ],
)
def test_patterns_replace_the_extensions(
    folder: Path, include: list[str], expected: list[str]
) -> None:
    assert names([folder], *include) == expected


def test_files_are_taken_as_they_are_and_once(folder: Path) -> None:
    note = folder / "sub" / "notes.txt"
    assert names([note, folder, folder / "a.mkv"], "a.*") == ["notes.txt", "a.mkv"]


def test_links_to_folders_are_not_followed(folder: Path) -> None:
    (folder / "again").symlink_to(folder)
    (folder / "broken.mp4").symlink_to(folder / "nothing")
    assert names([folder]) == ["a.mkv", "b.MP4", "sub/c.mov"]


def test_a_folder_that_cannot_be_read_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(CannotGoOn, match=r"sub cannot be read: Permission denied"):
        names([folder])


async def test_a_file_that_changes_is_not_read_on(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"0123456789")
    with opened(path) as file:
        assert await file.read(2, 3) == b"234"
        path.write_bytes(b"0123")
        with pytest.raises(CannotGoOn, match="changed while"):
            await file.read(2, 2)
        with pytest.raises(CannotGoOn, match="changed while"):
            file.check()


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotGoOn, match="No such file"), opened(tmp_path / "gone.mp4"):
        pass
