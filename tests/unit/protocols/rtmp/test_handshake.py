import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp.handshake import PACKET_BYTES, RANDOM_BYTES, ServerHandshake

C1, C2 = b"\x01" * PACKET_BYTES, b"\x02" * PACKET_BYTES
BEHIND = b"what follows"


@given(st.lists(st.integers(1, 4000)))
def test_any_split_of_the_stream_gives_the_same_session(reads: list[int]) -> None:
    wire, sent = b"\x03" + C1 + C2 + BEHIND, b""
    server = ServerHandshake(bytes(RANDOM_BYTES))
    for size in [*reads, len(wire)]:
        sent += server.receive(wire[:size])
        wire = wire[size:]
    assert sent == b"\x03" + bytes(PACKET_BYTES) + C1
    assert server.done
    assert server.trailing == BEHIND


def test_another_protocol_is_refused_with_its_first_byte() -> None:
    with pytest.raises(ProtocolError, match="version 71"):
        ServerHandshake(bytes(RANDOM_BYTES)).receive(b"GET / HTTP/1.1\r\n")
