import pytest

from telecine.formats.flv.bodies import body
from telecine.formats.flv.packets import Coded, Config, Packet, audio_packets, video_packets

PACKETS: list[Packet] = [
    Config(True, 0, "avc1", b"record"),
    Coded(True, 0, "avc1", True, 66, b"key"),
    Coded(True, 0, "avc1", False, -1, b"picture"),
    Config(True, 0, "hvc1", b"record"),
    Coded(True, 0, "hvc1", True, 8_388_607, b"key"),
    Coded(True, 0, "hvc1", False, 0, b"picture"),
    Config(False, 0, "mp4a", b"\x11\x90"),
    Coded(False, 0, "mp4a", True, 0, b"sound"),
    Config(False, 0, "Opus", b"OpusHead"),
    Coded(False, 0, "Opus", True, 0, b"sound"),
]


@pytest.mark.parametrize("packet", PACKETS)
def test_what_is_written_is_read(packet: Packet) -> None:
    read = video_packets if packet.video else audio_packets
    assert read(body(packet)) == [packet]


def test_classic_players_know_the_classic_codecs() -> None:
    firsts = [body(packet)[0] for packet in PACKETS]
    assert [first < 0x80 for first in firsts] == [True] * 3 + [False] * 3 + [False] * 4
    assert firsts[6] == firsts[7] == 0xAF
