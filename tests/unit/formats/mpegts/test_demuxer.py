"""Transport streams as they arrive: whole, damaged, and none at all."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine.formats.codecs import h264
from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Coded, Config
from telecine.formats.mpegts.demuxer import MAX_SKIPPED_BYTES, Demuxer, Frame, Program
from telecine.formats.mpegts.packets import PACKET_BYTES, Unit, packetise
from telecine.formats.mpegts.pes import pes
from telecine.formats.mpegts.pes_reader import MAX_UNIT_BYTES
from telecine.formats.mpegts.tables import AUDIO_PID, PAT_PID, PMT_PID, VIDEO_PID
from tests.fixtures.transport import (
    IDR,
    PPS,
    SLICE,
    SPS,
    START,
    STREAMS,
    TICKS,
    Transport,
    packets_of,
    program_map,
    show,
)

NULL = packetise(0x1FFF, Unit(bytes(184)), 0).tobytes()


def demuxed(*data: bytes) -> list[Program | Frame]:
    demuxer = Demuxer()
    return [found for each in data for found in demuxer.feed(each)] + demuxer.flush()


def frames(found: list[Program | Frame], *, video: bool) -> list[tuple[int, Coded]]:
    return [
        (each.time_ms, each.packet)
        for each in found
        if isinstance(each, Frame) and isinstance(each.packet, Coded) and each.packet.video == video
    ]


def configs(found: list[Program | Frame]) -> list[Config]:
    return [
        each.packet for each in found if isinstance(each, Frame) and isinstance(each.packet, Config)
    ]


def test_pictures_and_sound() -> None:
    found = demuxed(show(30))
    assert found[0] == Program(video=True, audio=True)
    pictures, sound = frames(found, video=True), frames(found, video=False)
    assert [time for time, _ in pictures] == [1000 + round(n * 100 / 3) for n in range(30)]
    assert [packet.key for _, packet in pictures] == [n % 10 == 0 for n in range(30)]
    assert pictures[0][1].data == len(IDR).to_bytes(4) + IDR
    assert pictures[1][1].data == len(SLICE).to_bytes(4) + SLICE
    assert [packet.data for _, packet in sound[:3]] == [b"sound", b"more", b"sound"]
    assert [time for time, _ in sound[:3]] == [1000, 1021, 1033]
    audio, video = configs(found)  # a picture ends where the next one begins
    config = h264.parse_avcc(video.record)
    assert (config.sps, config.pps, config.nal_length_bytes) == ((SPS,), (PPS,), 4)
    assert (audio.codec, audio.record.hex()) == ("mp4a", "1190")


@settings(max_examples=40)
@given(st.lists(st.integers(1, 3000)))
def test_any_split_gives_the_same(reads: list[int]) -> None:
    data, pieces = show(12), []
    for size in [*reads, len(data)]:
        pieces.append(data[:size])
        data = data[size:]
    assert demuxed(*pieces) == demuxed(show(12))


def test_times_wrap_around() -> None:
    begin = (1 << 33) - 10 * TICKS
    found = demuxed(show(30, begin=begin))
    for video in (True, False):
        times = [time for time, _ in frames(found, video=video)]
        assert times[0] == begin // 90
        assert times == sorted(times)
        assert times[-1] - times[0] < 1000


def test_pictures_that_are_shown_later() -> None:
    made = Transport()
    data = made.tables() + made.picture(0, SPS, PPS, IDR, shown=2)
    found = demuxed(data + made.picture(1, SLICE, shown=3) + made.picture(2, SLICE))
    assert [packet.offset_ms for _, packet in frames(found, video=True)] == [67, 100, 0]


def test_a_picture_in_several_pes_packets() -> None:
    made = Transport()
    timeless = b"\0\0\1\xe0\0\0\x80\0\0" + START + b"\x65slice"
    data = made.tables() + made.picture(0, SPS, PPS, IDR) + made.unit(VIDEO_PID, timeless)
    ((_, packet), _) = frames(demuxed(data + made.picture(1, SLICE)), video=True)
    assert packet.data.endswith(b"\0\0\0\x06\x65slice")


def test_other_parameter_sets_are_another_configuration() -> None:
    made, other = Transport(), SPS[:-1] + b"\xaa"
    data = made.tables() + made.picture(0, SPS, PPS, IDR) + made.picture(1, SPS, PPS, IDR)
    data += made.picture(2, b"\x68other", SLICE) + made.picture(3, other, PPS, IDR)
    found = demuxed(data)
    assert [h264.parse_avcc(each.record).sps for each in configs(found)] == [(SPS,), (other,)]
    changed = frames(found, video=True)[2][1].data
    assert b"\x68other" in changed  # on its own it goes with its picture


def test_decoding_begins_at_key_frames_of_all_kinds() -> None:
    recovery = b"\x06\x06\x01\x84\x80"
    made = Transport()
    data = made.tables() + made.picture(0, SLICE) + made.picture(1, SPS, PPS, SLICE)
    data += made.picture(2, SPS, PPS, recovery, SLICE) + made.picture(3, recovery, SLICE)
    pictures = frames(demuxed(data), video=True)
    assert [packet.key for _, packet in pictures] == [True, False]


def test_lost_packets_cost_their_pictures_only() -> None:
    made = Transport()
    parts = [made.tables()]
    for number in range(20):
        units = (SPS, PPS, IDR) if number % 10 == 0 else (SLICE * 20,)
        parts += packets_of(made.picture(number, *units))
    fewer = [each for index, each in enumerate(parts) if index != 7]
    demuxer = Demuxer()
    found = [each for data in fewer for each in demuxer.feed(data)] + demuxer.flush()
    assert len(frames(found, video=True)) == 19
    assert demuxer.damaged == 1


def test_packets_may_come_twice() -> None:
    doubled = b"".join(packet * 2 for packet in packets_of(show(10)))
    assert demuxed(doubled) == demuxed(show(10))


def test_foreign_damaged_and_encrypted_packets_are_passed_over() -> None:
    packets, wrong = packets_of(show(10)), []
    for packet in packets:
        encrypted = packet[:3] + bytes([packet[3] | 0x80]) + packet[4:]
        failed = packet[:1] + bytes([packet[1] | 0x80]) + packet[2:]
        too_long = packet[:3] + bytes([packet[3] | 0x30]) + b"\xff" * 184
        wrong += [NULL, encrypted, failed, too_long, packet]
    assert demuxed(b"".join(wrong)) == demuxed(show(10))


def test_garbage_between_packets_is_skipped() -> None:
    chance, packets = random.Random(5), packets_of(show(30))
    for at in (3, 20, 40):
        packets[at] = chance.randbytes(1000) + packets[at]
    pictures = frames(demuxed(b"".join(packets)), video=True)
    assert len(pictures) >= 27


def test_what_is_no_transport_stream_is_refused() -> None:
    chance = random.Random(1)
    for data in (bytes(MAX_SKIPPED_BYTES * 2), chance.randbytes(MAX_SKIPPED_BYTES * 3)):
        with pytest.raises(FormatError, match="no MPEG-TS"):
            demuxed(*(data[at : at + 1316] for at in range(0, len(data), 1316)))
    with pytest.raises(FormatError, match="no MPEG-TS"):
        demuxed(show(10), chance.randbytes(MAX_SKIPPED_BYTES * 3))
    with pytest.raises(FormatError, match="without a program"):
        demuxed(*[NULL * 700] * 70)


REGISTERED = b"\x05\x04"


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ([(0x1B, 0x100, b""), (0x03, 0x101, b"")], "sound as MP3"),
        ([(0x1B, 0x100, b""), (0x04, 0x101, b"")], "sound as MP3"),
        ([(0x1B, 0x100, b""), (0x11, 0x101, b"")], "sound as AAC in LATM"),
        ([(0x1B, 0x100, b""), (0x81, 0x101, b"")], "sound as AC-3"),
        ([(0x1B, 0x100, b""), (0x06, 0x101, b"\x6a\x01\x00")], "sound as AC-3"),
        ([(0x02, 0x100, b""), (0x0F, 0x101, b"")], "pictures as MPEG-2 video"),
        ([(0x06, 0x100, REGISTERED + b"AV01")], "pictures as AV1"),
        ([(0x15, 0x100, b"")], "a program without"),
    ],
)
def test_what_nobody_could_watch_is_refused_by_name(
    streams: list[tuple[int, int, bytes]], said: str
) -> None:
    with pytest.raises(FormatError, match=said):
        demuxed(Transport().tables(streams))


def test_the_first_that_can_be_watched_is_taken() -> None:
    made = Transport()
    streams = [(0x02, 0x90, b""), (0x86, 0x91, b""), (0x03, 0x92, b""), *STREAMS, (0x0F, 0x1, b"")]
    found = demuxed(made.tables(streams) + made.picture(0, SPS, PPS, IDR) + made.sound(0, b"a"))
    assert len(frames(found, video=True)) == len(frames(found, video=False)) == 1


def test_sound_alone_and_other_sound() -> None:
    made = Transport()
    data = made.tables([STREAMS[1]]) + made.sound(0, b"a") + made.sound(1920, b"b", channels=1)
    found = demuxed(data)
    assert found[0] == Program(video=False, audio=True)
    assert [each.record.hex() for each in configs(found)] == ["1190", "1188"]
    assert [time for time, _ in frames(found, video=False)] == [0, 21]


def test_packets_of_sound_that_span_pes_packets() -> None:
    made, whole = Transport(), Transport()
    sound = whole.sound(0, *(bytes([n]) * 100 for n in range(8)))
    data = b"".join(packet[-184:] for packet in packets_of(sound)).lstrip(b"\xff")[14:]
    data = data[data.find(b"\xff\xf1") :]
    pieces = [data[:150], data[150:170], data[170:400], data[400:]]
    stream = made.tables([STREAMS[1]])
    for number, piece in enumerate(pieces):
        stream += made.unit(AUDIO_PID, pes(0xC0, piece, [0, 3840, 3840, 7680][number]))
    taken = frames(demuxed(stream), video=False)
    assert [packet.data[0] for _, packet in taken] == list(range(8))
    assert [time for time, _ in taken] == [0, 21, 43, 64, 85, 107, 128, 149]


def test_noise_in_the_sound_is_passed_over() -> None:
    made, chance = Transport(), random.Random(2)
    stream = made.tables([STREAMS[1]])
    for number in range(50):
        stream += made.sound(1920 * number, b"sound", b"more")
        noise = chance.randbytes(40).replace(b"\xff", b"\xfe")
        stream += made.unit(AUDIO_PID, pes(0xC0, noise, 1920 * number))
    found = demuxed(stream)
    assert {packet.data for _, packet in frames(found, video=False)} == {b"sound", b"more"}
    assert len(configs(found)) == 1


def test_opus() -> None:
    made = Transport()
    descriptors = REGISTERED + b"Opus" + b"\x7f\x02\x80\x01"
    data = b"\x7f\xe0\x03\xfcab" + b"\x7f\xf8\xff\x01\x00\x00\x00\x00" + b"\xfc" * 256
    stream = made.tables([(0x06, AUDIO_PID, descriptors)])
    found = demuxed(stream + made.unit(AUDIO_PID, pes(0xBD, data, 900)))
    (config,) = configs(found)
    assert (config.codec, config.record[:10]) == ("Opus", b"OpusHead\x01\x01")
    assert [(time, len(packet.data)) for time, packet in frames(found, video=False)] == [
        (10, 3),
        (30, 256),
    ]


def test_tables_may_change() -> None:
    made = Transport()
    data = made.tables([STREAMS[0]]) + made.picture(0, SPS, PPS, IDR)
    data += made.unit(PMT_PID, program_map([STREAMS[0]], version=1))  # nothing new in it
    data += made.picture(1, SLICE) + made.unit(PMT_PID, program_map(version=2))
    data += made.picture(2, SLICE) + made.picture(3, SPS, PPS, IDR) + made.sound(0, b"a")
    found = demuxed(data)
    assert [each for each in found if isinstance(each, Program)] == [
        Program(video=True, audio=False),
        Program(video=True, audio=True),
    ]
    assert [packet.key for _, packet in frames(found, video=True)] == [True, False, True]
    assert len(frames(found, video=False)) == 1


def test_tables_with_a_wrong_checksum_are_not_believed() -> None:
    wrong = bytearray(program_map())
    wrong[-1] ^= 1
    made = Transport()
    data = made.tables() + made.unit(PMT_PID, bytes(wrong)) + made.unit(PAT_PID, b"\x00" * 30)
    assert demuxed(data) == [Program(video=True, audio=True)]


def test_tables_may_span_packets() -> None:
    made = Transport()
    many = [(0x06, 0x200 + n, b"\x0a\x04eng\x00") for n in range(40)]
    data = made.tables([*many, *STREAMS]) + made.picture(0, SPS, PPS, IDR)
    assert len(frames(demuxed(data), video=True)) == 1


def test_a_picture_has_a_bound() -> None:
    made = Transport()
    size = MAX_UNIT_BYTES // 3
    data = made.tables() + made.picture(0, SPS, PPS, b"\x65" + bytes(size))
    demuxed(data)
    with pytest.raises(FormatError, match="more than"):
        demuxed(made.tables() + made.picture(0, SPS, PPS, b"\x65" + bytes(MAX_UNIT_BYTES)))
    with pytest.raises(FormatError, match="units"):
        demuxed(made.tables() + made.picture(0, *[b"\x65"] * 5000) + made.picture(1, SLICE))


def test_times_that_cannot_be_are_damage() -> None:
    made = Transport()
    data = made.tables() + made.picture(0, SPS, PPS, IDR)
    data += made.picture(1, SLICE, shown=-1) + made.picture(2, SLICE, shown=400)
    assert len(frames(demuxed(data), video=True)) == 1


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0), st.binary(min_size=1, max_size=8)), min_size=1, max_size=30)
)
def test_wounds_give_frames_or_our_error(wounds: list[tuple[int, bytes]]) -> None:
    data = bytearray(show(20))
    for place, wound in wounds:
        at = place % len(data)
        data[at : at + len(wound)] = wound
    demuxer = Demuxer()
    try:
        found = [
            each
            for at in range(0, len(data), 7 * PACKET_BYTES)
            for each in demuxer.feed(bytes(data[at : at + 7 * PACKET_BYTES]))
        ]
    except FormatError:
        return
    assert sum(len(packet.data) for _, packet in frames(found, video=True)) < len(data)
