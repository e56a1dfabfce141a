import struct
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from telecine.formats.codecs.aac import aac_stsd
from telecine.formats.mp4.boxes import Box, FormatError, box, find, full_box, iter_boxes
from telecine.formats.mp4.fragment import audio_init, fragment, video_init
from telecine.formats.mp4.index import MovieIndex, read_index
from tests.unit.formats.mp4.movies import (
    audio_track,
    index,
    movie,
    payload,
    reader,
    samples_of,
    video_stsd,
    video_track,
)

STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def part(data: bytes, *path: bytes) -> Box:
    found = find(data, path)
    assert found is not None
    return found


def patched(data: bytes, path: tuple[bytes, ...], at: int, new: bytes) -> bytes:
    """Overwrite bytes `at` the body of the first box below `path`."""
    start = part(data, *path).body + at
    return data[:start] + new + data[start + len(new) :]


def renamed(data: bytes, path: tuple[bytes, ...], kind: bytes) -> bytes:
    start = part(data, *path).start + 4
    return data[:start] + kind + data[start + 4 :]


MOVIE, HEAD = movie(video_track(), audio_track())


def test_a_movie_with_its_index_in_front() -> None:
    found = index(MOVIE)
    assert (found.fragmented, found.truncated, found.moov_first) == (False, False, True)
    video, audio = found.tracks
    assert (video.kind, video.track_id, video.timescale) == ("video", 1, 120_000)
    assert (video.width_px, video.height_px, video.sample_entry) == (320, 180, "avc1")
    assert (video.sample_aspect, video.rotation_deg, video.colour) == (Fraction(1), 0, None)
    assert video.enabled
    assert not video.encrypted
    assert (audio.kind, audio.track_id, audio.sample_entry) == ("audio", 2, "mp4a")
    assert audio.stsd == aac_stsd(48_000, 2)


def test_the_index_may_come_last() -> None:
    # Offsets are absolute: a `free` box as large as ftyp and moov keeps them true.
    ftyp, moov, mdat = iter_boxes(MOVIE)
    filler = box(b"free", bytes(moov.end - 8))
    found = index(filler + MOVIE[mdat.start :] + MOVIE[ftyp.start : moov.end])
    assert not found.moov_first
    assert not found.truncated
    assert found.tracks[0].offsets.tolist() == index(MOVIE).tracks[0].offsets.tolist()


def test_a_file_that_ends_early_loses_its_last_samples() -> None:
    whole = index(MOVIE).tracks
    found = index(MOVIE[:-1])
    assert found.truncated
    kept = [len(track.sizes) for track in found.tracks]
    assert sum(kept) == len(whole[0].sizes) + len(whole[1].sizes) - 1
    assert all(len(track.pts) == len(track.sizes) for track in found.tracks)
    assert [len(track.sizes) for track in index(HEAD.head).tracks] == [0, 0]


def test_a_file_that_ends_inside_its_index_is_refused() -> None:
    moov = part(MOVIE, b"moov")
    with pytest.raises(FormatError, match="inside its moov"):
        index(MOVIE[: moov.end - 1])
    with pytest.raises(FormatError, match="no moov"):
        index(MOVIE[: moov.start])


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, b"\0" * 100, b"hello, world: no video", bytes(20)]
)
def test_what_is_no_movie_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        index(data)


def test_nonsense_behind_the_movie_is_ignored() -> None:
    assert len(index(MOVIE + b"\0\0\0\x03junkjunk").tracks[0].sizes) == 12


def test_a_file_that_shrinks_while_read_is_refused() -> None:
    with pytest.raises(FormatError):
        read_index(reader(MOVIE[:100]), len(MOVIE))


def test_few_reads_are_enough() -> None:
    reads = []

    def read_at(offset: int, size: int) -> bytes:
        reads.append((offset, size))
        return MOVIE[offset : offset + size]

    read_index(read_at, len(MOVIE))
    assert len(reads) == 1


def edited(
    *rows: tuple[int, int, int], version: int = 0, movie_timescale: int = 1000
) -> MovieIndex:
    """Index a movie whose video has these edits (duration, media time, rate)."""
    layout = ">QqI" if version else ">IiI"
    lines = b"".join(struct.pack(layout, *row) for row in rows)
    elst = full_box(b"elst", version, 0, struct.pack(">I", len(rows)), lines)
    edts = part(MOVIE, b"moov", b"trak", b"edts")
    data = _replaced(MOVIE, edts, box(b"edts", elst))
    return index(patched(data, (b"moov", b"mvhd"), 20, struct.pack(">I", movie_timescale)))


def _replaced(data: bytes, old: Box, new: bytes) -> bytes:
    """Replace a box of the first track; media stay in place behind a smaller filler."""
    moov, trak = part(data, b"moov"), part(data, b"moov", b"trak")
    grown = len(new) - (old.end - old.start)
    data = data[: old.start] + new + data[old.end :]
    for outer in (moov, trak):
        size = struct.pack(">I", outer.end - outer.start + grown)
        data = data[: outer.start] + size + data[outer.start + 4 :]
    return data + bytes(max(0, -grown))


def test_an_edit_moves_all_times() -> None:
    plain = edited((400, 0, 0x10000)).tracks[0]
    for version in (0, 1):
        moved = edited((100, -1, 0x10000), (400, 4004, 0x10000), version=version).tracks[0]
        shift = 12_000 - 4004
        assert moved.pts.tolist() == (plain.pts + shift).tolist()
        assert moved.dts.tolist() == (plain.dts + shift).tolist()
        assert moved.edit_obstacle is None


def test_an_edit_that_ends_early_hides_the_rest() -> None:
    # In the order of decoding, pictures are shown at 1 4 2 3 7 5 6 … times 4004.
    whole = edited((4004 * 13, 0, 0x10000), movie_timescale=120_000).tracks[0]
    assert (whole.pts // 4004).tolist()[:7] == [1, 4, 2, 3, 7, 5, 6]
    assert len(whole.sizes) == 12
    ended = edited((4004 * 5, 0, 0x10000), movie_timescale=120_000).tracks[0]
    assert (ended.pts // 4004).tolist() == [1, 4, 2, 3]
    assert ended.edit_obstacle is None
    torn = edited((4004 * 6, 0, 0x10000), movie_timescale=120_000).tracks[0]
    assert (torn.pts // 4004).tolist() == [1, 4, 2, 3, 7, 5]  # 5 may refer to 7
    assert torn.edit_obstacle == "the edit list ends among reordered frames"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(100, 0, 0x10000), (100, 8008, 0x10000)], "2 edits"),
        ([(100, 0, 0x20000)], "2 times the speed"),
        ([(100, 0, 0)], "0 times the speed"),
        ([(1, -1, 0x10000), (1, -1, 0x10000), (100, 0, 0x10000)], "2 pauses"),
        ([(100, -5, 0x10000)], "before the start"),
        ([(100, -1, 0x10000)], "shows nothing"),
    ],
)
def test_edits_that_are_no_shift_are_told(rows: list[tuple[int, int, int]], said: str) -> None:
    track = edited(*rows).tracks[0]
    assert said in (track.edit_obstacle or "")
    assert track.rearranged == ("edits" in said or "speed" in said)


def test_hostile_edits_are_refused() -> None:
    with pytest.raises(FormatError, match="1001 edits"):
        edited(*[(0, 0, 0x10000)] * 1001)
    with pytest.raises(FormatError):
        edited((0, 1 << 62, 0x10000), version=1)


ORIENTATIONS = [
    ((0, 1, -1, 0), (90, False)),
    ((-1, 0, 0, -1), (180, False)),
    ((0, -1, 1, 0), (270, False)),
    ((-1, 0, 0, 1), (0, True)),
    ((0, -1, -1, 0), (90, True)),
    ((1, 0, 0, -1), (180, True)),
    ((0, 1, 1, 0), (270, True)),
    ((1, 1, 0, 1), (None, False)),
]


@pytest.mark.parametrize(("matrix", "wanted"), ORIENTATIONS)
def test_orientation(matrix: tuple[int, int, int, int], wanted: tuple[int | None, bool]) -> None:
    a, b, c, d = (value << 16 for value in matrix)
    data = patched(MOVIE, (b"moov", b"trak", b"tkhd"), 52, struct.pack(">iiiii", a, b, 0, c, d))
    (track, *_) = index(data).tracks
    assert (track.rotation_deg, track.mirrored) == wanted


def test_what_the_sample_entry_says() -> None:
    stsd = video_stsd(
        box(b"pasp", struct.pack(">II", 4, 3)),
        box(b"colr", b"nclx", struct.pack(">HHHB", 9, 16, 9, 0x80)),
        box(b"dvcC", bytes((1, 0, 5 << 1, 0))),
        box(b"sinf"),
        entries=2,
    )
    (track,) = index(movie(video_track(stsd=stsd))[0]).tracks
    assert track.sample_aspect == Fraction(4, 3)
    assert track.colour is not None
    assert (track.colour.primaries, track.colour.transfer, track.colour.matrix) == (9, 16, 9)
    assert track.colour.full_range
    assert track.dolby_vision_profile == 5
    assert track.encrypted
    assert track.sample_entries == 2


def test_quicktime_leaves_the_range_open() -> None:
    stsd = video_stsd(box(b"colr", b"nclc", struct.pack(">HHH", 1, 1, 1)))
    (track,) = index(movie(video_track(stsd=stsd))[0]).tracks
    assert track.colour is not None
    assert track.colour.full_range is None
    absurd = video_stsd(box(b"pasp", bytes(8)), box(b"colr", b"prof", bytes(20)))
    (track,) = index(movie(video_track(stsd=absurd))[0]).tracks
    assert (track.sample_aspect, track.colour) == (Fraction(1), None)


def test_uncompressed_sound_has_no_table() -> None:
    data = MOVIE.replace(b"mp4a", b"sowt", 1)
    video, audio = index(data).tracks
    assert audio.sample_entry == "sowt"
    assert len(audio.sizes) == len(audio.pts) == 0
    assert len(video.sizes) == 12


def test_other_tracks_are_left_out() -> None:
    data = patched(MOVIE, (b"moov", b"trak", b"mdia", b"hdlr"), 8, b"text")
    assert [track.kind for track in index(data).tracks] == ["audio"]


def test_no_list_of_key_frames_means_all_are() -> None:
    data = renamed(MOVIE, (*STBL, b"stss"), b"free")
    assert index(data).tracks[0].keyframes.all()


def test_key_frames_counted_from_zero() -> None:
    path = (*STBL, b"stss")  # 1, 6, 11
    data = patched(MOVIE, path, 8, struct.pack(">III", 0, 5, 4_000_000_000))
    assert np.flatnonzero(index(data).tracks[0].keyframes).tolist() == [0, 5]
    assert not index(patched(MOVIE, path, 4, bytes(4))).tracks[0].keyframes.any()


def test_small_sizes_in_few_bits() -> None:
    sizes = [9] * 9 + [1, 2, 3]
    for bits, table in (
        (4, bytes.fromhex("999999999123")),
        (8, bytes(sizes)),
        (16, struct.pack(">12H", *sizes)),
    ):
        stz2 = full_box(b"stz2", 0, 0, struct.pack(">II", bits, 12), table)
        # stsz has 48 bytes of sizes; what is left over is a box of its own.
        room = 60 + 8 - len(stz2)
        data = MOVIE
        at = part(data, *STBL, b"stsz").start
        data = data[:at] + stz2 + box(b"free", bytes(room - 8)) + data[at + 68 :]
        assert index(data).tracks[0].sizes.tolist() == sizes


def test_durations_go_on_where_their_table_ends() -> None:
    data = patched(MOVIE, (*STBL, b"stts"), 8, struct.pack(">I", 3))
    assert index(data).tracks[0].durations.tolist() == [4004] * 12


@pytest.mark.parametrize(
    ("table", "at", "new"),
    [
        (b"stts", 4, b"\xff" * 4),  # entries that are not there
        (b"stts", 4, bytes(4)),  # none
        (b"stts", 12, b"\xff" * 4),  # negative durations
        (b"ctts", 4, b"\x7f\xff\xff\xff"),
        (b"stss", 4, b"\xff" * 4),
        (b"stsz", 8, b"\xff" * 4),
        (b"stsz", 4, b"\0\0\0\x01\xff\xff\xff\xff"),  # one size for 2**32 samples
        (b"stsc", 4, b"\xff" * 4),
        (b"stsc", 8, bytes(4)),  # chunk 0
        (b"stsc", 20, b"\0\0\0\x01"),  # chunk 1 twice
        (b"stsc", 4, bytes(4)),  # no runs
        (b"co64", 4, b"\xff" * 4),
        (b"stsd", 4, bytes(4)),  # no entry
        (b"stsd", 8, b"\xff" * 4),
    ],
)
def test_hostile_tables_are_refused(table: bytes, at: int, new: bytes) -> None:
    with pytest.raises(FormatError):
        index(patched(MOVIE, (*STBL, table), at, new))


@pytest.mark.parametrize("kind", [b"stts", b"stsc", b"co64", b"stsd"])
def test_tables_that_are_missing_are_missed(kind: bytes) -> None:
    with pytest.raises(FormatError):
        index(renamed(MOVIE, (*STBL, kind), b"free"))


@pytest.mark.parametrize(
    ("table", "at", "new"),
    [
        (b"stts", 8, b"\xff" * 4),
        (b"ctts", 8, b"\xff" * 4),
        (b"stsc", 12, b"\xff" * 4),
        (b"stsc", 20, b"\xff" * 4),  # the second run begins at chunk 2**32 - 1
        (b"co64", 8, b"\xff" * 8),
        (b"co64", 8, b"\x7f" * 8),
    ],
)
def test_counts_of_2_to_the_32_cost_no_memory(table: bytes, at: int, new: bytes) -> None:
    data = patched(MOVIE, (*STBL, table), at, new)
    tracemalloc.start()
    found = index(data)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1 << 20
    assert len(found.tracks[0].sizes) <= 12


def test_offsets_behind_every_file_are_cut() -> None:
    data = patched(MOVIE, (*STBL, b"co64"), 16, b"\xff" * 8)
    found = index(data)
    assert found.truncated
    assert len(found.tracks[0].sizes) == 5


def test_numbers_of_tracks_are_bounded_and_unique() -> None:
    trak = part(MOVIE, b"moov", b"trak")
    moov = part(MOVIE, b"moov")
    copy = MOVIE[trak.start : trak.end]
    for copies, said in ((1, "two tracks"), (70, "72 tracks")):
        grown = box(b"moov", MOVIE[moov.body : moov.end], copy * copies)
        with pytest.raises(FormatError, match=said):
            index(MOVIE[: moov.start] + grown)


def test_a_timescale_of_zero_is_refused() -> None:
    with pytest.raises(FormatError, match="timescale"):
        index(patched(MOVIE, (b"moov", b"trak", b"mdia", b"mdhd"), 20, bytes(4)))


def fragmented(*, gap: int = 0) -> bytes:
    video = video_track()
    init = video_init(video.stsd, timescale=120_000, width_px=320, height_px=180)
    data = [init]
    for sequence, (first, end) in enumerate([(0, 5), (5, 10), (10, 12)]):
        part_ = samples_of(video, first, end)
        body = payload(0, first, part_.sizes.tolist())
        time = first * 4004 + gap * sequence
        data.append(fragment(sequence + 1, time, part_, body, video=True))
    return b"".join(data)


def test_fragments_are_put_together() -> None:
    data = fragmented(gap=100)
    found = index(data)
    assert found.fragmented
    assert not found.truncated
    (track,) = found.tracks
    wanted = video_track()
    assert track.sizes.tolist() == wanted.sizes.tolist()
    assert track.keyframes.tolist() == wanted.keyframes.tolist()
    assert track.dts.tolist()[4:6] == [4 * 4004, 5 * 4004 + 100]
    assert (track.pts - track.dts).tolist() == wanted.composition_offsets.tolist()
    for sample, offset in enumerate(track.offsets.tolist()):
        assert struct.unpack_from(">BH", data, offset) == (0, sample)


def test_a_recording_that_stopped_inside_a_fragment() -> None:
    whole = fragmented()
    for cut_bytes, kept in ((1, 11), (300, 10), (700, 6)):
        found = index(whole[:-cut_bytes])
        assert found.truncated
        assert len(found.tracks[0].sizes) == kept


def test_fragments_without_decode_times_follow_each_other() -> None:
    (track,) = index(fragmented().replace(b"tfdt", b"free")).tracks
    assert track.dts.tolist() == [4004 * n for n in range(12)]


def test_old_ways_to_say_where_data_lie() -> None:
    # Two tracks in one moof, no base flags: the first starts at the moof, the
    # second where the data of the first end.
    init = video_init(video_stsd(), timescale=1000, width_px=320, height_px=180)
    sound = audio_init(aac_stsd(48_000, 2), timescale=48_000)
    moov, other = part(init, b"moov"), part(sound, b"moov", b"trak")
    trak = sound[other.start : other.end].replace(
        struct.pack(">QQI", 0, 0, 1), struct.pack(">QQI", 0, 0, 2), 1
    )
    trex = full_box(b"trex", 0, 0, struct.pack(">IIIII", 2, 1, 1024, 3, 0))
    kept = [c for c in iter_boxes(init, moov.body, moov.end) if c.kind != b"mvex"]
    parts = [init[child.start : child.end] for child in kept]
    head = init[: moov.start] + box(b"moov", *parts, trak, box(b"mvex", trex))

    def traf(track: int, trun: bytes) -> bytes:
        return box(b"traf", full_box(b"tfhd", 0, 0, struct.pack(">I", track)), trun)

    rows = struct.pack(">IIIIII", 2, 40, 5, 0, 40, 7)
    first = full_box(b"trun", 0, 0x305, struct.pack(">Ii", 2, 0), bytes(4), rows[4:12], rows[16:])
    second = full_box(b"trun", 0, 0, struct.pack(">I", 4))
    size = 8 + 16 + len(traf(1, first)) + len(traf(2, second))
    first = first.replace(struct.pack(">Ii", 2, 0), struct.pack(">Ii", 2, size + 8), 1)
    moof = box(b"moof", full_box(b"mfhd", 0, 0, bytes(4)), traf(1, first), traf(2, second))
    data = head + moof + box(b"mdat", bytes(5 + 7 + 12))
    video, audio = index(data).tracks
    start = len(head) + len(moof) + 8
    assert video.offsets.tolist() == [start, start + 5]
    assert video.keyframes.tolist() == [True, True]
    assert audio.offsets.tolist() == [start + 12 + 3 * n for n in range(4)]
    assert audio.durations.tolist() == [1024] * 4


def test_fragments_cannot_claim_more_samples_than_bytes() -> None:
    trun = full_box(b"trun", 0, 0, struct.pack(">I", 0xFFFFFFFF))
    traf = box(b"traf", full_box(b"tfhd", 0, 0x10, struct.pack(">II", 1, 0)), trun)
    init = video_init(video_stsd(), timescale=1000, width_px=320, height_px=180)
    with pytest.raises(FormatError, match="samples"):
        index(init + box(b"moof", traf))
