import pytest

from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Coded, Config, Packet, audio_packets, video_packets


@pytest.mark.parametrize(
    ("body", "packets"),
    [
        (b"", []),
        (b"\x17\x00\x00\x00\x00avcC", [Config(True, 0, "avc1", b"avcC")]),
        (b"\x17\x01\xff\xff\xfedata", [Coded(True, 0, "avc1", True, -2, b"data")]),
        (b"\x27\x01\x00\x00\x42data", [Coded(True, 0, "avc1", False, 66, b"data")]),
        (b"\x17\x02\x00\x00\x00", []),  # end of sequence
        (b"\x57\x00", []),  # a command, such as the begin of a seek
        (b"\x1c\x00\x00\x00\x00hvcC", [Config(True, 0, "hvc1", b"hvcC")]),
        (b"\x90hvc1hvcC", [Config(True, 0, "hvc1", b"hvcC")]),
        (b"\x91hvc1\x00\x00\x21data", [Coded(True, 0, "hvc1", True, 33, b"data")]),
        (b"\xa3hvc1data", [Coded(True, 0, "hvc1", False, 0, b"data")]),
        (b"\x91av01data", [Coded(True, 0, "av01", True, 0, b"data")]),
        (b"\x94hvc1colorInfo", []),
        (b"\x96\x01avc1\x05\x00\x00\x00data", [Coded(True, 5, "avc1", True, 0, b"data")]),
        (
            b"\x96\x11avc1\x00\x00\x00\x05\x00\x00\x00ab\x01\x00\x00\x04\x00\x00\x00c",
            [Coded(True, 0, "avc1", True, 0, b"ab"), Coded(True, 1, "avc1", True, 0, b"c")],
        ),
        (
            b"\x96\x20av01\x00\x00\x00\x01avp09\x01\x00\x00\x01b",
            [Config(True, 0, "av01", b"a"), Config(True, 1, "vp09", b"b")],
        ),
        (b"\x97\x02\x00\x00\x01\x03vp09data", [Coded(True, 0, "vp09", True, 0, b"data")]),
    ],
)
def test_video(body: bytes, packets: list[Packet]) -> None:
    assert video_packets(body) == packets


@pytest.mark.parametrize(
    ("body", "packets"),
    [
        (b"", []),
        (b"\xaf\x00\x11\x90", [Config(False, 0, "mp4a", b"\x11\x90")]),
        (b"\xaf\x01data", [Coded(False, 0, "mp4a", True, 0, b"data")]),
        (b"\xaf\x01", []),  # silence
        (b"\x2fdata", [Coded(False, 0, ".mp3", True, 0, b"data")]),
        (b"\x90OpusOpusHead", [Config(False, 0, "Opus", b"OpusHead")]),
        (b"\x91Opusdata", [Coded(False, 0, "Opus", True, 0, b"data")]),
        (b"\x94Opus\x00", []),  # which channel is where
        (b"\x95\x01mp4a\x03data", [Coded(False, 3, "mp4a", True, 0, b"data")]),
    ],
)
def test_audio(body: bytes, packets: list[Packet]) -> None:
    assert audio_packets(body) == packets


@pytest.mark.parametrize(
    "body",
    [
        b"\x12data",  # Sorenson H.263
        b"\x91av",
        b"\x96",
        b"\x96\x31avc1",
        b"\x96\x11avc1\x00\x00\x00\x09data",
        b"\x97\xff\x00",
        b"\x97" + b"\x00\x00\x07" * 20,
        b"\x95",
    ],
)
def test_broken_tags_are_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        video_packets(body)


def test_other_sound_is_refused() -> None:
    with pytest.raises(FormatError, match="audio codec 11"):
        audio_packets(b"\xb2speex")
