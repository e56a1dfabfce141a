import pytest

from telecine.cli.upload import cutting
from telecine.cli.upload.cutting import MIB, Piece, cut, in_order_of_use
from telecine.domains.uploads import content_range
from telecine.http import multipart
from telecine.processes.exits import CannotGoOn


@pytest.mark.parametrize(
    ("size_bytes", "sizes"),
    [(1, [1]), (10, [10]), (11, [10, 1]), (20, [10, 10]), (25, [10, 10, 5])],
)
def test_all_parts_but_the_last_have_the_same_size(size_bytes: int, sizes: list[int]) -> None:
    pieces = cut(size_bytes, 10)
    assert [piece.size_bytes for piece in pieces] == sizes
    assert [piece.start for piece in pieces] == [10 * number for number in range(len(sizes))]
    assert [piece.number for piece in pieces] == list(range(1, len(sizes) + 1))
    assert {piece.total for piece in pieces} == {len(sizes)}


def test_only_files_of_several_parts_need_a_header() -> None:
    assert cut(10, 10)[0].content_range is None
    assert [piece.content_range for piece in cut(11, 10)] == ["part 1/2", "part 2/2"]


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(CannotGoOn, match="empty"):
        cut(0, 10)


def test_the_size_that_would_do_is_told() -> None:
    cut(10_000 * 5 * MIB, 5 * MIB)
    with pytest.raises(CannotGoOn, match=r"10001 parts.*--part-size 6\."):
        cut(10_000 * 5 * MIB + 1, 5 * MIB)


def test_what_is_sent_is_what_servers_take() -> None:
    assert cutting.MAX_PARTS == content_range.MAX_PARTS
    assert cutting.MIN_PART_MIB * MIB == content_range.MIN_PART_BYTES
    assert cutting.MAX_PART_MIB * MIB <= multipart.MAX_FILE_BYTES


@pytest.mark.parametrize(
    ("index", "numbers"),
    [
        (None, [1, 2, 3, 4]),
        ((0, 9), [1, 2, 3, 4]),
        ((32, 35), [4, 1, 2, 3]),
        ((29, 35), [3, 4, 1, 2]),
        ((30, 31), [4, 1, 2, 3]),
        ((20, 30), [3, 1, 2, 4]),
    ],
)
def test_parts_with_the_index_come_first(index: tuple[int, int] | None, numbers: list[int]) -> None:
    ordered = in_order_of_use(cut(35, 10), index)
    assert [piece.number for piece in ordered] == numbers
    assert all(isinstance(piece, Piece) for piece in ordered)
