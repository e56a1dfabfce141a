import struct

import pytest

from telecine.formats.mp4.boxes import FormatError, box, find, full_box, iter_boxes, read


def test_boxes_are_found_by_their_path() -> None:
    data = box(b"free") + box(b"moov", box(b"trak", b"abc"), box(b"trak", b"d"))
    found = find(data, [b"moov", b"trak"])
    assert found is not None
    assert data[found.body : found.end] == b"abc"
    assert find(data, [b"moov", b"mvex"]) is None


def test_a_size_may_be_64_bits_long_or_reach_to_the_end() -> None:
    long = struct.pack(">I4sQ", 1, b"mdat", 20) + b"1234"
    open_ended = struct.pack(">I4s", 0, b"free") + b"56"
    bodies = [(b.kind, b.body, b.end) for b in iter_boxes(long + open_ended)]
    assert bodies == [(b"mdat", 16, 20), (b"free", 28, 30)]


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">I4s", 7, b"free"),  # smaller than its header
        struct.pack(">I4s", 9, b"free"),  # past the end
        struct.pack(">I4sQ", 1, b"free", 15),
        struct.pack(">I4sQ", 1, b"free", 1 << 63),
        struct.pack(">I4s", 1, b"free"),  # no room for the 64 bits
    ],
)
def test_impossible_sizes_are_refused(header: bytes) -> None:
    with pytest.raises(FormatError):
        list(iter_boxes(header))


def test_fewer_than_eight_bytes_behind_the_last_box_are_ignored() -> None:
    assert len(list(iter_boxes(box(b"free") + bytes(4)))) == 1


def test_endless_rows_of_boxes_are_refused() -> None:
    with pytest.raises(FormatError, match="65536"):
        list(iter_boxes(box(b"free") * 65_537))


def test_full_boxes_start_with_version_and_flags() -> None:
    assert full_box(b"tfdt", 1, 0x020000, b"x") == b"\0\0\0\x0dtfdt\x01\x02\0\0x"


def test_reading_stops_at_the_end_of_the_box() -> None:
    assert read("HB", b"\x01\x02\x03", 0) == (0x0102, 3)
    for at, end in ((0, 2), (1, None), (-1, None)):
        with pytest.raises(FormatError):
            read("HB", b"\x01\x02\x03", at, end)
