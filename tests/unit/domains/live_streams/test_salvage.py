"""A file that was being written when its process was killed."""

import os
from pathlib import Path

import pytest

from telecine.domains.live_streams.salvage import salvage
from telecine.formats.errors import FormatError
from telecine.live.model import Init, Part
from telecine.live.packager import Packager
from tests.unit.live.test_packager import AUDIO, VIDEO, merged, pictures, run, sounds

SENT = [(0, VIDEO), (0, AUDIO), *merged(pictures(30, 5, gop_s=1), sounds(5))]
PARTS = [each.data for each in run(Packager(200), SENT) if isinstance(each, Init | Part)]
WHOLE = b"".join(PARTS[:-1])


@pytest.mark.parametrize("cut", [0, 1, len(PARTS[-1]) // 2, len(PARTS[-1]) - 1])
def test_it_is_cut_behind_the_last_part_that_is_whole(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(WHOLE + PARTS[-1][:cut])
    found = salvage(path)
    assert path.read_bytes() == WHOLE
    assert found.size_bytes == len(WHOLE)
    assert found.duration_s == pytest.approx(4.6, abs=0.3)


def test_nothing_is_whole_of_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert salvage(path).size_bytes == 0
    with pytest.raises(FileNotFoundError):
        salvage(tmp_path / "another")


def test_a_file_that_is_damaged_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    damaged = b"\0\0\0\x24moov\0\0\0\x1ctrak\0\0\0\x14mdia\0\0\0\x0cmdhd\0\0\0\0"
    path.write_bytes(damaged)
    with pytest.raises(FormatError):
        salvage(path)
    assert path.read_bytes() == damaged


def test_only_heads_of_a_long_file_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / "file", 0
    size = 1 << 30
    with path.open("wb") as file:
        file.write(WHOLE + PARTS[-1][: PARTS[-1].index(b"mdat") - 4])
        file.write(size.to_bytes(4) + b"mdat")
        file.truncate(file.tell() - 8 + size)  # a hole
    real = os.pread

    def counted(number: int, length: int, at: int) -> bytes:
        nonlocal read
        read += length
        return real(number, length, at)

    monkeypatch.setattr(os, "pread", counted)
    assert salvage(path).size_bytes == path.stat().st_size > size
    assert read < 2 * len(WHOLE)
