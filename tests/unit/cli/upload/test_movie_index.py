import struct

import pytest

from telecine.cli.upload.movie_index import find
from telecine.formats.mp4.boxes import box

FTYP = box(b"ftyp", b"isom")
MDAT = box(b"mdat", b"x" * 100)
MOOV = box(b"moov", b"y" * 30)
LARGE = struct.pack(">I4sQ", 1, b"mdat", 16 + 100) + b"x" * 100
ENDLESS = struct.pack(">I4s", 0, b"moov") + b"y" * 30


def found(data: bytes) -> tuple[int, int] | None:
    return find(lambda at, size: data[at : at + size], len(data))


@pytest.mark.parametrize("before", [FTYP, FTYP + MDAT, MDAT, FTYP + LARGE])
@pytest.mark.parametrize("behind", [b"", MDAT])
def test_the_index_is_found_where_it_is(before: bytes, behind: bytes) -> None:
    assert found(before + MOOV + behind) == (len(before), len(before) + len(MOOV))


def test_a_last_box_without_a_size_ends_with_the_file() -> None:
    assert found(FTYP + ENDLESS) == (len(FTYP), len(FTYP + ENDLESS))


def test_an_index_that_is_cut_off_ends_with_the_file() -> None:
    assert found(FTYP + MOOV[:20]) == (len(FTYP), len(FTYP) + 20)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        b"\x1aE\xdf\xa3 a Matroska file",
        FTYP + MDAT,
        FTYP + MDAT[:50],
        FTYP + b"\0\0\0\3moov",
        FTYP + struct.pack(">I4sQ", 1, b"mdat", 3),
        FTYP + box(b"free") * 2000 + MOOV,
    ],
    ids=["empty", "short", "other", "none", "cut", "tiny", "tiny 64", "many"],
)
def test_nonsense_is_no_index(data: bytes) -> None:
    assert found(data) is None
