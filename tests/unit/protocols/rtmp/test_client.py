"""Our client against our server, and against servers that say no."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import amf0, messages
from telecine.protocols.rtmp.chunks import encode
from telecine.protocols.rtmp.client import PublishClient, Refused
from telecine.protocols.rtmp.handshake import PACKET_BYTES, RANDOM_BYTES
from telecine.protocols.rtmp.messages import Message
from telecine.protocols.rtmp.session import Event, Media, Metadata, Publish, PublishSession
from telecine.protocols.rtmp.session import Unpublish as Ended

SECRET = "k/9-secret?token=7"
HANDSHAKE = bytes([3]) + bytes(2 * PACKET_BYTES)


def client() -> PublishClient:
    return PublishClient(bytes(RANDOM_BYTES), "s", "rtmp://target/s", "key")


def met(ours: PublishClient, theirs: PublishSession, read: int = 1 << 20) -> list[Event]:
    """Carry bytes both ways until nobody has anything to say; the server accepts."""
    events: list[Event] = []
    while data := ours.to_send():
        for at in range(0, len(data), read):
            for event in theirs.receive(data[at : at + read]):
                events.append(event)
                if isinstance(event, Publish):
                    theirs.accept()
        answer = theirs.to_send()
        for at in range(0, len(answer), read):
            ours.receive(answer[at : at + read])
    return events


@settings(max_examples=20)
@given(st.integers(1, 5000))
def test_media_arrives_as_it_was_sent(read: int) -> None:
    ours, theirs = client(), PublishSession(bytes(RANDOM_BYTES))
    assert met(ours, theirs, read) == [Publish("s", "key")]
    assert ours.accepted
    assert ours.enhanced
    ours.describe({"width": 640.0})
    ours.send(messages.VIDEO, 0x01000000, b"picture" * 2000)
    ours.send(messages.AUDIO, 0x1_0000_0005, b"sound")
    ours.finish()
    assert met(ours, theirs, read) == [
        Metadata({"width": 640.0}),
        Media(True, 0x01000000, b"picture" * 2000),
        Media(False, 5, b"sound"),  # times wrap around
        Ended(),
    ]


def told(*values: object) -> bytes:
    return encode(Message(messages.COMMAND, 0, 0, amf0.encode(*values)), 3, 128)


@pytest.mark.parametrize("said", [SECRET, "k/9-secret", "k%2F9-secret%3Ftoken%3D7"])
def test_a_server_that_repeats_the_key_in_its_refusal_does_not_tell_it(said: str) -> None:
    session = PublishClient(bytes(RANDOM_BYTES), "app", "rtmp://there/app", SECRET)
    session.receive(HANDSHAKE)
    with pytest.raises(Refused, match=r"BadName - .*no such stream: \*\*\*") as refused:
        session.receive(
            told(
                "onStatus",
                0,
                None,
                {
                    "level": "error",
                    "code": "NetStream.Publish.BadName",
                    "description": f"no such stream: {said}{' ' * 150}{said}",
                },
            )
        )
    assert "secret" not in str(refused.value)
    assert "k/9" not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        told("_error", 1, None, {"code": "NetConnection.Connect.Rejected", "description": "no"}),
        told("onStatus", 0, None, {"level": "error", "code": "NetStream.Publish.BadName"}),
        told("_error", 4, None),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(answer: bytes) -> None:
    session = client()
    session.receive(HANDSHAKE)
    with pytest.raises(Refused, match=r"Rejected - no|BadName|no reason given"):
        session.receive(answer)
    assert not session.accepted


def test_servers_of_other_protocols_are_noticed_at_once() -> None:
    with pytest.raises(ProtocolError, match="version 72"):
        client().receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_pings_are_answered_and_what_was_read_is_acknowledged() -> None:
    session = client()
    session.receive(HANDSHAKE)
    session.to_send()
    session.receive(encode(messages.user_control(messages.PING_REQUEST, b"abcd"), 2, 128))
    assert b"\x00\x07abcd" in session.to_send()
    session.receive(encode(messages.control(messages.WINDOW, messages.number(1)), 2, 128))
    session.receive(encode(Message(messages.DATA, 0, 0, bytes(40_000)), 5, 128))
    assert session.to_send()[7] == messages.ACKNOWLEDGEMENT


def test_a_server_without_enhanced_rtmp_is_known_as_such() -> None:
    session = client()
    session.receive(HANDSHAKE)
    session.receive(told("_result", 1, {}, {"code": "NetConnection.Connect.Success"}))
    assert not session.enhanced
    session.receive(told("_result", 4, None, 7))
    session.receive(told("onFCPublish", 0, None, {"code": "NetStream.Publish.Start"}))
    assert not session.accepted
    session.receive(told("onStatus", 0, None, {"code": "NetStream.Publish.Start"}))
    assert session.accepted
