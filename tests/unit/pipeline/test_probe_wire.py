import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.pipeline.probe_wire import REQUEST, AskedFile

DATA = bytes(range(256)) * 4096  # 1 MiB


class Answers(io.BytesIO):
    """Answers each request right after it was written."""

    def __init__(self, requests: io.BytesIO) -> None:
        super().__init__()
        self.requests = requests
        self.asked: list[tuple[int, int]] = []

    def read(self, length_bytes: int | None = -1) -> bytes:
        offset, length = REQUEST.unpack(self.requests.getvalue()[-REQUEST.size :])
        assert length == length_bytes
        self.asked.append((offset, length))
        return DATA[offset : offset + length]


def opened() -> tuple[AskedFile, Answers]:
    requests = io.BytesIO()
    answers = Answers(requests)
    return AskedFile(requests, answers, len(DATA)), answers


@given(st.lists(st.tuples(st.integers(0, len(DATA) + 10), st.integers(0, 400_000)), max_size=20))
def test_reads_anywhere_are_the_file_s_bytes(places: list[tuple[int, int]]) -> None:
    file, _ = opened()
    for offset, size in places:
        assert file.read_at(offset, size) == DATA[offset : offset + size]
        file.seek(offset)
        assert file.read(size) == DATA[offset : offset + size]
        assert file.tell() == min(offset + size, max(offset, len(DATA)))


def test_small_reads_side_by_side_ask_once() -> None:
    file, answers = opened()
    for offset in range(0, 100_000, 1000):
        file.read_at(offset, 1000)
    assert answers.asked == [(0, 1 << 18)]


def test_seeks_from_every_side() -> None:
    file, _ = opened()
    assert file.seek(-16, io.SEEK_END) == len(DATA) - 16
    assert file.seek(-6, io.SEEK_CUR) == len(DATA) - 22
    assert file.seek(5) == 5
    assert (file.readable(), file.seekable()) == (True, True)
    with pytest.raises(io.UnsupportedOperation):
        file.seek(0, 9)


def test_nothing_behind_the_end_is_asked_for() -> None:
    file, answers = opened()
    assert file.read_at(len(DATA) - 10, 1 << 30) == DATA[-10:]
    assert file.read_at(len(DATA) + 5, 10) == b""
    assert all(offset + size <= len(DATA) for offset, size in answers.asked)


def test_what_lies_apart_is_read_and_nothing_between() -> None:
    requests = io.BytesIO()
    answers = Answers(requests)
    file = AskedFile(requests, answers, 1000, (5000, 6000))
    assert file.read_at(990, 50) == DATA[990:1000]
    assert file.read_at(1000, 50) == b""
    assert file.read_at(4999, 50) == b""
    assert file.read_at(5990, 50) == DATA[5990:6000]
    assert file.read_at(6000, 1) == b""
    assert file.seek(0, 2) == 1000
