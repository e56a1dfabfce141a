"""Publications with damage: what comes out is an event or ProtocolError, and it is bounded."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import audio_packets, video_packets
from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import amf0, messages
from telecine.protocols.rtmp.chunks import encode
from telecine.protocols.rtmp.handshake import RANDOM_BYTES
from telecine.protocols.rtmp.messages import Message
from telecine.protocols.rtmp.session import Media, Publish, PublishSession
from tests.fixtures import rtmp_wire as wire
from tests.fuzz.test_mp4_index import damage, damaged

METADATA = amf0.encode("@setDataFrame", "onMetaData", {"width": 640, "encoder": "x"})
BODIES = (
    b"\x17\x00\x00\x00\x00" + bytes(40),
    b"\x17\x01\x00\x00\x00" + bytes(3000),
    b"\x96\x11avc1\x00\x00\x00\x05\x00\x00\x00ab\x01\x00\x00\x04\x00\x00\x00c",
    b"\x97\x02\x00\x00\x01\x03vp09data",
)
SENT = wire.media(
    [
        *((messages.VIDEO, 33 * n, body) for n, body in enumerate(BODIES)),
        (messages.AUDIO, 99, b"\xaf\x01" + bytes(200)),
        (messages.AUDIO, 0x01000000, b"\x91Opus" + bytes(200)),
    ]
)
CHUNKED = (
    wire.asking("key")
    + encode(messages.control(messages.WINDOW, messages.number(9)), 2, 128)
    + encode(Message(messages.DATA, 0, 1, METADATA), 4, 128)
    + SENT
)


def publication(data: bytes, reads: list[int]) -> int:
    """Feed a session; return how many bytes of media came out."""
    session, media_bytes = PublishSession(bytes(RANDOM_BYTES)), 0
    session.receive(wire.OPENING + wire.C2)
    while data:
        size = reads.pop() if reads else 999
        for event in session.receive(data[:size]):
            if isinstance(event, Publish):
                session.accept()
            if isinstance(event, Media):
                media_bytes += len(event.payload)
                with contextlib.suppress(FormatError):
                    (video_packets if event.video else audio_packets)(event.payload)
        session.to_send()
        data = data[size:]
    return media_bytes


def test_the_publication_is_whole() -> None:
    assert publication(CHUNKED, [7] * 200) == sum(map(len, BODIES)) + 202 + 205


@given(st.lists(damage, min_size=1, max_size=6), st.lists(st.integers(1, 700), max_size=20))
def test_damaged_publications(wounds: list[tuple[str, int, int]], reads: list[int]) -> None:
    data = CHUNKED
    for wound in wounds:
        data = damaged(data, *wound) or data
    with contextlib.suppress(ProtocolError):
        assert publication(data, reads) <= 2 * len(data)


@given(st.binary(max_size=60))
def test_any_tag(body: bytes) -> None:
    for read in (video_packets, audio_packets):
        with contextlib.suppress(FormatError):
            for packet in read(body):
                assert len(getattr(packet, "data", b"")) <= len(body)
