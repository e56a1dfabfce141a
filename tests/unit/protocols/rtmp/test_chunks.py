import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import messages
from telecine.protocols.rtmp.chunks import MAX_MEDIA_BYTES, ChunkReader, encode
from telecine.protocols.rtmp.messages import Message

MESSAGES = st.lists(
    st.tuples(
        st.builds(
            Message,
            st.sampled_from((messages.AUDIO, messages.VIDEO, messages.DATA)),
            st.integers(0, 0xFFFFFFFF),
            st.just(1),
            st.binary(max_size=700),
        ),
        st.integers(2, 8),
    ),
    max_size=6,
)


@given(MESSAGES, st.lists(st.integers(1, 900)))
def test_any_split_gives_the_same_messages(
    sent: list[tuple[Message, int]], reads: list[int]
) -> None:
    wire = b"".join(encode(message, stream, 128) for message, stream in sent)
    reader, got = ChunkReader(), []
    for size in [*reads, len(wire)]:
        got += reader.feed(wire[:size])
        wire = wire[size:]
    assert got == [message for message, _ in sent]


def header(form: int, time: int, *, length: int = 1, kind: int = messages.AUDIO) -> bytes:
    fields = time.to_bytes(3) + length.to_bytes(3) + bytes([kind]) + (1).to_bytes(4, "little")
    return bytes([form << 6 | 4]) + fields[: (11, 7, 3, 0)[form]]


def test_later_headers_say_less() -> None:
    wire = (
        header(0, 1000) + b"a" + header(1, 20) + b"b" + header(2, 30) + b"c" + header(3, 0) + b"d"
    )
    got = ChunkReader().feed(wire)
    assert [(m.timestamp_ms, m.payload) for m in got] == [
        (1000, b"a"),
        (1020, b"b"),
        (1050, b"c"),
        (1080, b"d"),  # the last delta holds for a message of type 3
    ]


HEADERS = st.tuples(
    st.integers(4, 5),  # chunk stream
    st.integers(0, 3),  # form
    st.one_of(st.integers(0, 100), st.integers(0xFFFFFE, 0x1000001)),  # time
    st.sampled_from((messages.AUDIO, messages.VIDEO, messages.DATA)),
    st.binary(max_size=300),
)


@given(st.lists(HEADERS, max_size=8), st.sampled_from((1, 50, 128)))
def test_what_is_read_at_once_is_what_is_read_byte_by_byte(
    sent: list[tuple[int, int, int, int, bytes]], chunk_bytes: int
) -> None:
    wire = encode(messages.control(messages.SET_CHUNK, messages.number(chunk_bytes)), 2, 128)
    last: dict[int, tuple[int, int]] = {}
    for stream, wanted, time, kind, body in sent:
        same = last.get(stream) == (len(body), kind)
        form = wanted if same else min(wanted, int(stream in last))
        last[stream] = len(body), kind
        extended = time.to_bytes(4) if time >= 0xFFFFFF and form < 3 else b""
        head = header(form, min(time, 0xFFFFFF), length=len(body), kind=kind)[1:]
        wire += bytes([form << 6 | stream]) + head + extended + body[:chunk_bytes]
        for at in range(chunk_bytes, len(body), chunk_bytes):
            wire += bytes([0xC0 | stream]) + extended + body[at : at + chunk_bytes]
    slow = ChunkReader()
    assert ChunkReader().feed(wire) == [m for byte in wire for m in slow.feed(bytes([byte]))]


@pytest.mark.parametrize("repeats", [True, False])
def test_the_extended_timestamp_of_a_continuation_may_be_left_out(repeats: bool) -> None:
    time = 0x01234567
    body = bytes(range(200))
    wire = header(0, 0xFFFFFF, length=200) + time.to_bytes(4) + body[:128]
    wire += b"\xc4" + (time.to_bytes(4) if repeats else b"") + body[128:]
    assert ChunkReader().feed(wire) == [Message(messages.AUDIO, time, 1, body)]


def test_chunk_streams_above_63_have_longer_headers() -> None:
    rest = header(0, 5)[1:] + b"a"
    for start in (b"\x00\x10", b"\x01\x10\x00"):
        assert [m.timestamp_ms for m in ChunkReader().feed(start + rest)] == [5]


def test_messages_interleave_and_one_can_be_aborted() -> None:
    reader = ChunkReader()
    long = encode(Message(messages.VIDEO, 1, 1, bytes(300)), 6, 128)
    short = encode(Message(messages.AUDIO, 2, 1, b"sound"), 4, 128)
    abort = encode(messages.control(messages.ABORT, messages.number(6)), 2, 128)
    got = reader.feed(long[:140] + short + abort + long)
    assert [(m.kind, len(m.payload)) for m in got] == [(8, 5), (2, 4), (9, 300)]


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (b"\xc4", "begins with a header of type 3"),
        (header(0, 0, length=MAX_MEDIA_BYTES + 1), "type 8 and 8388609 bytes"),
        (header(0, 0, length=65537, kind=20), "type 20 and 65537 bytes"),
        (encode(messages.control(1, messages.number(0)), 2, 128), "chunk size of 0"),
        (encode(Message(9, 0, 1, bytes(300)), 4, 128)[:140] + header(0, 0), "inside a message"),
        (
            b"".join(encode(Message(8, 0, 1, b"a"), stream, 128) for stream in range(2, 35)),
            "more than 32",
        ),
    ],
)
def test_what_cannot_be_or_grows_too_much_is_refused(wire: bytes, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        ChunkReader().feed(wire)


def test_unfinished_messages_are_bounded_together() -> None:
    reader, chunk_bytes = ChunkReader(), 6 << 20
    reader.feed(encode(messages.control(1, messages.number(chunk_bytes)), 2, 128))
    begin = header(0, 0, length=MAX_MEDIA_BYTES)[1:] + bytes(chunk_bytes)
    for stream in (4, 5):
        assert reader.feed(bytes([stream]) + begin) == []
    with pytest.raises(ProtocolError, match="too many unfinished"):
        reader.feed(b"\x06" + begin)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 129, 256, 300])
def test_a_message_that_is_all_here_is_read_at_once(length: int) -> None:
    first = Message(messages.VIDEO, 40, 1, bytes(range(200)) * 2)
    second = Message(messages.VIDEO, 80, 1, b"\xc4" * length)  # which looks like headers
    wire = b"".join(encode(each, 4, 128) for each in (first, second, first))
    assert ChunkReader().feed(wire) == [first, second, first]
