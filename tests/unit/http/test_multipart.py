import itertools
from collections.abc import Mapping

import pytest
from fastapi import Request
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine.http import batches, multipart
from telecine.http.boundary import Delimiter
from telecine.http.multipart import Announce, Upload, clean_file_name, receive_file
from telecine.problems import Problem, problem

pytestmark = pytest.mark.anyio

FILE = b'Content-Disposition: form-data; name="file"; filename="a.mp4"'


class Memory:
    def __init__(self) -> None:
        self.writes: list[bytes] = []

    async def write(self, *pieces: bytes | memoryview) -> None:
        self.writes.append(b"".join(pieces))


class Body:
    """A request body in chunks, that counts how far it was read."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks
        self.read = 0

    async def receive(self) -> dict[str, object]:
        self.read += 1
        more = self.read < len(self.chunks)
        return {"type": "http.request", "body": self.chunks[self.read - 1], "more_body": more}


def form(*parts: bytes, boundary: bytes = b"XX") -> bytes:
    lines = [b"--" + boundary + b"\r\n" + part for part in parts]
    return b"\r\n".join([*lines, b"--" + boundary + b"--\r\n"])


def part(header: bytes, data: bytes) -> bytes:
    return header + b"\r\n\r\n" + data


async def receive(
    body: Body | bytes,
    sink: Memory,
    content_type: str = "multipart/form-data; boundary=XX",
    max_bytes: int = 1000,
    announce: Announce | None = None,
) -> Upload:
    body = Body([body]) if isinstance(body, bytes) else body
    headers = [(b"content-type", content_type.encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    request = Request(scope, body.receive)
    return await receive_file(request, sink, max_bytes=max_bytes, announce=announce)


NOTE = part(b'Content-Disposition: form-data; name="videoId"', b"vi1")


@pytest.mark.parametrize(
    "body", [form(NOTE, part(FILE, b"media")), form(part(FILE, b"media"), NOTE)]
)
async def test_fields_stand_before_or_behind_the_file(body: bytes) -> None:
    sink = Memory()
    upload = await receive(body, sink)
    assert upload == Upload("a.mp4", 5, {"videoId": "vi1"})
    assert sink.writes == [b"media"]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'name="small.mp4"; filename="small.mp4"', "small.mp4"),
        (b"name=source; filename=b.mov", "b.mov"),
        (b'name="file"', "file"),
        (b'name="file"; filename=""', "file"),
        ('name="file"; filename="été.mp4"'.encode(), "été.mp4"),
        (b"name=\"file\"; filename=\"x\"; filename*=UTF-8''%C3%A9t%C3%A9.mp4", "été.mp4"),
        (b'name="file"; filename="..\\\\..\\\\evil.mp4"', "evil.mp4"),
        (b'name="file"; filename="/etc/passwd"', "passwd"),
        (b'name="file"; filename="a\xff.mp4"', "a\ufffd.mp4"),
        (b'name="file"; filename="a\\"b.mp4"', 'a"b.mp4'),
    ],
)  # fmt: skip
async def test_the_file_is_the_part_with_a_file_name(disposition: bytes, name: str) -> None:
    header = b"Content-Type: x/y\r\ncontent-disposition: form-data; " + disposition
    assert (await receive(form(part(header, b"1")), Memory())).file_name == name


@pytest.mark.parametrize(
    ("given", "name"),
    [("a/b\\c.mp4", "c.mp4"), ("a\0\n\u202eb", "ab"), ("  ", "file"), ("x" * 999, "x" * 255)],
)
def test_file_names_are_cleaned(given: str, name: str) -> None:
    assert clean_file_name(given) == name


async def test_a_boundary_may_be_quoted() -> None:
    body = form(part(FILE, b"1"), boundary=b"a b")
    upload = await receive(body, Memory(), 'Multipart/Form-Data; charset=x; boundary="a b"')
    assert upload.size_bytes == 1


@pytest.mark.parametrize("batch_bytes", [1, 1000])
async def test_a_file_is_announced_before_its_first_byte(
    monkeypatch: pytest.MonkeyPatch, batch_bytes: int
) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", batch_bytes)
    sink = Memory()
    announced: list[tuple[str, set[str], int]] = []

    async def announce(name: str, fields: Mapping[str, str]) -> None:
        announced.append((name, set(fields), len(sink.writes)))

    data = form(part(b'Content-Disposition: form-data; name="note"', b"x"), part(FILE, b"12"), NOTE)
    body = Body([bytes([byte]) for byte in data])
    upload = await receive(body, sink, announce=announce)
    # Of a small file, what stands behind it is known as well.
    known = {"note"} if batch_bytes == 1 else {"note", "videoId"}
    assert announced == [("a.mp4", known, 0)]
    assert upload.fields == {"note": "x", "videoId": "vi1"}
    assert b"".join(sink.writes) == b"12"


@pytest.mark.parametrize(
    ("body", "name"), [(form(NOTE), ""), (form(NOTE, part(FILE, b"")), "a.mp4")]
)
async def test_who_is_told_of_a_form_objects_before_it_is_found_wrong(
    body: bytes, name: str
) -> None:
    told: list[tuple[str, Mapping[str, str]]] = []

    async def announce(name: str, fields: Mapping[str, str]) -> None:
        told.append((name, fields))
        raise problem(404, "resource-not-found", "There is no such video.")

    with pytest.raises(Problem) as caught:
        await receive(body, Memory(), announce=announce)
    assert caught.value.status == 404
    assert told == [(name, {"videoId": "vi1"})]


async def test_a_body_may_arrive_byte_by_byte() -> None:
    data = b"\r\n--X\r\n-\r\r\n--"
    chunks = [bytes([byte]) for byte in form(part(FILE, data), NOTE)]
    sink = Memory()
    upload = await receive(Body(chunks), sink)
    assert b"".join(sink.writes) == data
    assert upload.fields == {"videoId": "vi1"}


async def test_bytes_are_written_in_large_batches() -> None:
    data = [b"x" * 65_536] * 40
    body = Body([b"--XX\r\n" + FILE + b"\r\n\r\n", *data, b"\r\n--XX--\r\n"])
    sink = Memory()
    upload = await receive(body, sink, max_bytes=10**7)
    assert upload.size_bytes == 40 * 65_536
    assert [len(write) for write in sink.writes] == [2**21, 2**19]


async def test_with_many_others_batches_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    data = [b"x" * 256_000] * 4
    body = [b"--XX\r\n" + FILE + b"\r\n\r\n", *data, b"\r\n--XX--\r\n"]
    others = {object() for _ in range(20)}
    monkeypatch.setattr(batches, "_bodies", others)
    sink = Memory()
    await receive(Body(body), sink, max_bytes=10**7)
    assert [len(write) for write in sink.writes] == [768_000, 256_000]
    others |= {object() for _ in range(30)}
    sink = Memory()
    await receive(Body(body), sink, max_bytes=10**7)
    assert [len(write) for write in sink.writes] == [256_000] * 4
    assert len(others) == 50  # each is gone once it has come


FRAGMENTS = [
    *(b"\r", b"\n", b"-", b"X", b"\r\n", b"\r\n--", b"\r\n--X", b"\r\n--XX", b"\r\n--XX "),
    *(b"\r\n--XX-", b"\r\n--XX\r", b"\r\n--XX--", b"\r\n--XX--\r\n", b"\0", b"data"),
    *(b"\r\n--XX\r\n" + NOTE, b"\r\n--XX\r\n" + part(FILE, b"2"), b"\r\n--XX\r\n\r\n"),
]


@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=12),
    st.booleans(),
    st.lists(st.integers(0, 80), max_size=12),
    st.sampled_from([1, 7, 1 << 20]),
)
@settings(max_examples=400, deadline=None)
async def test_any_body_in_any_chunks_is_what_the_parser_alone_makes_of_it(
    middle: list[bytes], ended: bool, cuts: list[int], batch_bytes: int
) -> None:
    body = b"--XX\r\n" + part(FILE, b"".join(middle)) + (b"\r\n--XX--\r\n" if ended else b"")
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[one:two] for one, two in itertools.pairwise(places)]

    async def outcome(chunks: list[bytes]) -> object:
        sink = Memory()
        try:
            upload = await receive(Body(chunks), sink)
        except Problem as error:
            return error.violations[0].slug
        return upload, b"".join(sink.writes)

    with pytest.MonkeyPatch.context() as alone:
        alone.setattr(Delimiter, "clear_bytes", lambda *_: 0)
        expected = await outcome([body])
    with pytest.MonkeyPatch.context() as small:
        small.setattr(batches, "MOST_BYTES", batch_bytes)
        small.setattr(multipart, "_SMALL_BYTES", 3)
        assert await outcome(chunks) == expected


async def test_tiny_pieces_cost_no_more_memory_than_their_bytes() -> None:
    chunks = [b"--XX\r\n" + FILE + b"\r\n\r\n", *[b"12"] * 5000, b"\r\n--XX--\r\n"]
    pieces: list[bytes | memoryview] = []

    class Pieces(Memory):
        async def write(self, *given: bytes | memoryview) -> None:
            pieces.extend(given)

    await receive(Body(chunks), Pieces(), max_bytes=10_000)
    assert [len(piece) for piece in pieces] == [10_000]


BAD_FIELDS = [part(b'Content-Disposition: form-data; name="f%d"' % i, b"") for i in range(21)]


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (form(NOTE), "no-file"),
        (form(part(FILE, b"1"), part(FILE, b"2")), "multiple-files"),
        (form(part(FILE, b"")), "empty"),
        (form(part(FILE, b"x" * 1001)), "too-large"),
        (form(part(FILE, b"12"))[:-4], "invalid-file"),
        (form(part(FILE, b"12"))[:60], "invalid-file"),
        (b"garbage", "invalid-file"),
        (b"", "invalid-file"),
        (form(part(b"A: " + b"x" * 10_000, b"")), "invalid-file"),
        (form(*BAD_FIELDS), "invalid-file"),
        (form(part(b'Content-Disposition: form-data; name="f"', b"x" * 65_537)), "invalid-file"),
    ],
    ids=str,
)  # fmt: skip
async def test_bad_forms(body: bytes, slug: str) -> None:
    with pytest.raises(Problem) as caught:
        await receive(body, Memory())
    assert caught.value.status == 400
    assert caught.value.violations[0].slug == f"uploaded-file-{slug}"


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=XX"]
)
async def test_what_is_no_form_holds_no_file(content_type: str) -> None:
    with pytest.raises(Problem) as caught:
        await receive(form(part(FILE, b"1")), Memory(), content_type)
    assert caught.value.violations[0].slug == "uploaded-file-no-file"


async def test_after_an_error_the_rest_is_read_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multipart, "_DRAIN_BYTES", 10_000)
    start = b"--XX\r\n" + FILE + b"\r\n\r\n"
    short = Body([start, *[b"x" * 1001] * 5])
    with pytest.raises(Problem):
        await receive(short, Memory())
    assert short.read == 6
    long = Body([start, *[b"x" * 1001] * 50])
    with pytest.raises(Problem):
        await receive(long, Memory())
    assert long.read == 1 + 1 + 10
