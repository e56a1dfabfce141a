import pytest

from telecine.formats.mp4.boxes import FormatError
from telecine.formats.mp4.movie_scan import ReadAt, moov_end


def box(kind: bytes, size_bytes: int) -> bytes:
    return size_bytes.to_bytes(4, "big") + kind + bytes(size_bytes - 8)


def there(content: bytes, *stretches: tuple[int, int]) -> ReadAt:
    """Read a file of which only some stretches have come."""

    def read_at(at: int, size: int) -> bytes:
        for start, end in stretches:
            if start <= at < end:
                return content[at : min(at + size, end)]
        return b""

    return read_at


def test_the_end_of_an_index_in_front_is_known_at_once() -> None:
    movie = box(b"ftyp", 24) + box(b"moov", 100) + box(b"mdat", 1000)
    assert moov_end(there(movie, (0, 20))) == (40, False)
    assert moov_end(there(movie, (0, 60))) == (124, False)
    assert moov_end(there(movie, (0, 124))) == (124, True)


def test_an_index_behind_the_media_is_found_where_it_has_come() -> None:
    movie = box(b"ftyp", 24) + box(b"mdat", 1000) + box(b"moov", 100)
    assert moov_end(there(movie, (0, 500))) == (1040, False)
    assert moov_end(there(movie, (0, 500), (1000, 1100))) == (1124, False)
    assert moov_end(there(movie, (0, 500), (1000, 1124))) == (1124, True)


def test_media_to_the_end_of_the_file_hides_the_index() -> None:
    endless = box(b"ftyp", 24) + bytes(4) + b"mdat" + bytes(100)
    assert moov_end(there(endless, (0, len(endless)))) == (1 << 40, False)
    with pytest.raises(FormatError):
        moov_end(there(box(b"ftyp", 24) + (4).to_bytes(4, "big") + b"mdat" * 9, (0, 60)))
