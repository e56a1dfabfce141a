"""Our index against libavformat's demuxer: every packet's size, place, times, key flag."""

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from telecine.formats.mp4.index import Track
from tests.fixtures.media import AAC, X264, make_barcode, make_clip
from tests.integration.formats.clips import FORMS, copied, index_file, original

Packets = dict[int, npt.NDArray[np.int64]]


def demuxed(path: Path) -> Packets:
    """Return (size, offset, dts, pts, key) of all packets, by track number."""
    rows: dict[int, list[tuple[int, int, int, int, bool]]] = {}
    with av.open(path, "r") as container:
        for packet in container.demux():
            if packet.size and packet.dts is not None and packet.pts is not None:
                assert packet.pos is not None
                row = packet.size, packet.pos, packet.dts, packet.pts, packet.is_keyframe
                rows.setdefault(packet.stream.id, []).append(row)
    return {track: np.array(table, np.int64) for track, table in rows.items()}


def as_rows(track: Track) -> npt.NDArray[np.int64]:
    columns = track.sizes, track.offsets, track.dts, track.pts, track.keyframes
    return np.stack([column.astype(np.int64) for column in columns], 1)


@pytest.mark.parametrize("name", FORMS)
def test_every_packet_is_where_and_when_libavformat_finds_it(name: str) -> None:
    path = copied(name, *FORMS[name])
    found, packets = index_file(path), demuxed(path)
    assert [track.kind for track in found.tracks] == ["video", "audio"]
    assert found.fragmented == ("frag" in name)
    assert not found.truncated
    for track in found.tracks:
        assert track.edit_obstacle is None
        assert np.array_equal(as_rows(track), packets[track.track_id])
    assert len(found.tracks[0].sizes) == 60
    assert np.flatnonzero(found.tracks[0].keyframes).tolist() == [0, 25, 50]


@pytest.mark.parametrize(
    ("name", "options", "before"),
    [
        ("starts-inside-a-gop.mp4", (), ("-ss", "1.1")),
        ("starts-at-a-key.mp4", (), ("-ss", "0.83417")),
    ],
)
def test_edits_agree_up_to_a_constant(
    name: str, options: tuple[str, ...], before: tuple[str, ...]
) -> None:
    path = copied(name, *options, before=before)
    packets = demuxed(path)
    for track in index_file(path).tracks:
        theirs, ours = packets[track.track_id], as_rows(track)
        assert np.array_equal(ours[:, [0, 1, 4]], theirs[:, [0, 1, 4]])
        # libavformat puts the first shown picture at 0, even where the edit list, in
        # milliseconds, shows it a little later.
        shifts = ours[:, 2:4] - theirs[:, 2:4]
        assert (shifts == shifts[0, 0]).all()
        assert abs(int(shifts[0, 0])) < track.timescale / 500


def test_a_late_track_waits() -> None:
    path = make_clip(
        "late.mp4",
        *("-itsoffset", "0.5", "-i", str(original()), "-i", str(original())),
        *("-map", "0:v", "-map", "1:a", "-c", "copy"),
    )
    packets = demuxed(path)
    video, audio = index_file(path).tracks
    assert np.array_equal(as_rows(video), packets[video.track_id])
    assert np.array_equal(as_rows(audio), packets[audio.track_id])
    assert int(video.pts.min()) == video.timescale // 2


def test_uncompressed_sound() -> None:
    path = copied("pcm.mov", "-c:a", "pcm_s16le")
    video, audio = index_file(path).tracks
    assert np.array_equal(as_rows(video), demuxed(path)[video.track_id])
    assert (audio.sample_entry, len(audio.sizes)) == ("sowt", 0)


def test_a_truncated_file(tmp_path: Path) -> None:
    whole = copied("moov-first.mp4", *FORMS["moov-first.mp4"]).read_bytes()
    path = tmp_path / "short.mp4"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    found, packets = index_file(path), demuxed(path)
    assert found.truncated
    for track in found.tracks:
        # libavformat gives out the packet that is cut off, too.
        theirs = packets[track.track_id][: len(track.sizes)]
        assert np.array_equal(as_rows(track), theirs)
        assert 0 <= len(packets[track.track_id]) - len(theirs) <= 1
        assert len(theirs) > 20


@pytest.mark.parametrize("options", [("-bf", "0"), ("-g", "1"), ("-x264-params", "open-gop=1")])
def test_other_structures_of_pictures(options: tuple[str, ...]) -> None:
    path = make_barcode(
        "structure.mp4", *X264, *AAC, "-g", "12", *options, frames=40, width_px=128, height_px=72
    )
    packets = demuxed(path)
    for track in index_file(path).tracks:
        assert np.array_equal(as_rows(track), packets[track.track_id])


def test_what_a_phone_says_of_its_picture() -> None:
    path = copied("turned.mp4", before=("-display_rotation", "-90"))
    assert index_file(path).tracks[0].rotation_deg == 90
    path = copied("wide.mp4", "-aspect", "3:1", "-bsf:v", "h264_metadata=sample_aspect_ratio=27/16")
    assert index_file(path).tracks[0].sample_aspect == 27 / 16
    path = make_clip(
        "coloured.mp4",
        *("-i", str(original()), "-an", *X264, "-vf"),
        "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709",
    )
    colour = index_file(path).tracks[0].colour
    assert colour is not None
    assert (colour.primaries, colour.transfer, colour.matrix) == (1, 1, 1)
    assert colour.full_range is False
