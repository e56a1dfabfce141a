import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import amf0, messages
from telecine.protocols.rtmp.chunks import ChunkReader, encode
from telecine.protocols.rtmp.handshake import PACKET_BYTES, RANDOM_BYTES
from telecine.protocols.rtmp.messages import Message
from telecine.protocols.rtmp.session import Event, Media, Metadata, Publish, PublishSession
from telecine.protocols.rtmp.session import Unpublish as Ended
from tests.fixtures import rtmp_wire as wire

SENT = [(messages.AUDIO, 0, b"sound"), (messages.VIDEO, 33, b"picture" * 900)]
METADATA = Message(messages.DATA, 0, 1, amf0.encode("@setDataFrame", "onMetaData", {"width": 640}))


def opened() -> PublishSession:
    session = PublishSession(bytes(RANDOM_BYTES))
    session.receive(wire.OPENING + wire.C2)
    session.to_send()
    return session


def answers(session: PublishSession) -> list[Message]:
    return ChunkReader().feed(session.to_send())


def commands(session: PublishSession) -> list[list[amf0.Value]]:
    return [amf0.decode(m.payload) for m in answers(session) if m.kind == messages.COMMAND]


@settings(max_examples=30)
@given(st.lists(st.integers(1, 3000)))
def test_any_split_gives_the_same_events(reads: list[int]) -> None:
    session, events, data = PublishSession(bytes(RANDOM_BYTES)), list[Event](), b""
    data = wire.session("key", SENT)
    for size in [*reads, len(data)]:
        for event in session.receive(data[:size]):
            if isinstance(event, Publish):
                session.accept()
            events.append(event)
        data = data[size:]
    assert events[0] == Publish("s", "key")
    # What comes in one read with the request is before its answer, hence dropped.
    assert [e for e in events if isinstance(e, Media)] in (
        [Media(False, 0, b"sound"), Media(True, 33, b"picture" * 900)],
        [Media(True, 33, b"picture" * 900)],
        [],
    )


def test_an_encoder_hears_what_it_waits_for() -> None:
    session = opened()
    assert session.receive(wire.asking("key?quality=1", "s?user=me")) == [Publish("s", "key")]
    told = commands(session)
    assert [(values[0], values[1]) for values in told] == [
        ("_result", 1.0),
        ("_result", 2.0),
        ("_result", 3.0),
        ("_result", 4.0),
    ]
    session.accept()
    begin, status = answers(session)
    assert (begin.kind, begin.payload) == (messages.USER_CONTROL, b"\0\0\0\0\0\x01")
    assert "NetStream.Publish.Start" in str(amf0.decode(status.payload))
    media = Message(messages.VIDEO, 40, 1, b"picture")
    assert session.receive(encode(METADATA, 4, 128)) == [Metadata({"width": 640.0})]
    assert session.receive(encode(media, 4, 128)) == [Media(True, 40, b"picture")]
    assert session.receive(wire.command("deleteStream", 0, None, 1)) == [Ended()]


def test_commands_without_a_number_get_no_answer() -> None:
    session = opened()
    session.receive(wire.command("FCPublish", 0, None, "key"))
    assert session.to_send() == b""


def test_media_before_the_answer_is_dropped() -> None:
    session = opened()
    session.receive(wire.asking("key"))
    assert session.receive(wire.media([(messages.VIDEO, 0, b"picture")])) == []
    session.refuse()
    assert "NetStream.Publish.BadName" in str(commands(session)[-1])
    assert session.receive(wire.media([(messages.VIDEO, 0, b"picture")])) == []


def test_what_was_read_is_acknowledged_and_pings_are_answered() -> None:
    session = opened()
    session.receive(wire.asking("key"))
    session.accept()
    session.to_send()
    small = encode(messages.control(messages.WINDOW, messages.number(1)), 2, 128)
    session.receive(small + wire.chunk_size(70_000))
    session.receive(wire.media([(messages.VIDEO, 0, bytes(66_000))], 70_000))
    assert [m.kind for m in answers(session)] == [messages.ACKNOWLEDGEMENT]
    session.receive(encode(messages.user_control(messages.PING_REQUEST, b"time"), 2, 128))
    assert [m.payload for m in answers(session)] == [b"\0\x07time"]


def test_enhanced_clients_are_told_what_we_take() -> None:
    session = opened()
    session.receive(wire.command("connect", 1, {"app": "s", "fourCcList": ["av01"]}))
    (told,) = commands(session)
    assert isinstance(told[3], dict)
    assert told[3]["capsEx"] == 14
    assert told[3]["videoFourCcInfoMap"] == dict.fromkeys(("avc1", "hvc1", "av01", "vp09"), 4.0)


def test_an_aggregate_is_taken_apart() -> None:
    session = opened()
    session.receive(wire.asking("key"))
    session.accept()
    tags = b"".join(
        bytes([kind]) + len(body).to_bytes(3) + time.to_bytes(3) + bytes(4) + body + bytes(4)
        for kind, time, body in ((8, 100, b"a"), (9, 120, b"bc"))
    )
    got = session.receive(encode(Message(messages.AGGREGATE, 5000, 1, tags), 4, 128))
    assert got == [Media(False, 5000, b"a"), Media(True, 5020, b"bc")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (wire.command("play", 0, None, "key", stream_id=1), "wants to play"),
        (wire.asking("key") + wire.asking("key"), "a second publish"),
    ],
)
def test_what_is_not_for_us_ends_the_connection(data: bytes, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        opened().receive(data)


def test_the_handshake_is_known_to_be_over() -> None:
    session = PublishSession(bytes(RANDOM_BYTES))
    session.receive(wire.OPENING)
    assert not session.shaken
    assert len(session.to_send()) == 1 + 2 * PACKET_BYTES
    session.receive(wire.C2)
    assert session.shaken
