"""What we write is decoded by ffmpeg to the very frames and samples of the source."""

import io
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from telecine.formats.codecs.aac import aac_stsd, parse_esds, stsd_of
from telecine.formats.mp4.fragment import (
    Fragment,
    FragmentSplitter,
    InitSegment,
    Samples,
    audio_init,
    fragment,
    read_init,
    read_moof,
    video_init,
)
from telecine.formats.mp4.index import Track
from telecine.formats.mp4.progressive import ProgressiveTrack, layout
from tests.fixtures.media import frame_numbers
from tests.integration.formats.clips import copied, index_file, original

TIMESCALE = 120_000


def bytes_of(data: bytes, track: Track, first: int, end: int) -> bytes:
    places = zip(track.offsets[first:end].tolist(), track.sizes[first:end].tolist(), strict=True)
    return b"".join(data[offset : offset + size] for offset, size in places)


def cmaf(path: Path) -> bytes:
    """Return the video of a file as one CMAF track, a fragment per key frame."""
    data = path.read_bytes()
    track = index_file(path).tracks[0]
    factor = TIMESCALE // track.timescale
    assert track.timescale * factor == TIMESCALE
    parts = [video_init(track.stsd, timescale=TIMESCALE, width_px=128, height_px=72)]
    cuts = [*np.flatnonzero(track.keyframes).tolist(), len(track.sizes)]
    for number, (first, end) in enumerate(pairwise(cuts)):
        durations = track.durations[first:end] * factor
        start = int(track.pts[first]) * factor
        dts = start + np.cumsum(durations) - durations
        samples = Samples(
            sizes=track.sizes[first:end],
            durations=durations,
            composition_offsets=track.pts[first:end] * factor - dts,
            keyframes=track.keyframes[first:end],
        )
        payload = bytes_of(data, track, first, end)
        parts.append(fragment(number + 1, start, samples, payload, video=True))
    return b"".join(parts)


def test_fragments_play_as_the_source_does() -> None:
    stream = cmaf(original())
    assert frame_numbers(stream, "-f", "mov") == list(range(60))
    with av.open(io.BytesIO(stream), "r") as container:
        times = sorted(packet.pts for packet in container.demux() if packet.pts is not None)
    # libavformat alone shifts files with negative offsets by the largest of them.
    assert [time - times[0] for time in times] == [4004 * n for n in range(60)]


def test_fragments_survive_the_splitter() -> None:
    stream, splitter = cmaf(original()), FragmentSplitter()
    init, *fragments = splitter.feed(stream)
    splitter.finish()
    assert isinstance(init, InitSegment)
    assert read_init(init.data).timescale == TIMESCALE
    rebuilt = [init.data]
    for piece in fragments:
        assert isinstance(piece, Fragment)
        read = read_moof(piece.moof)
        rebuilt.append(
            fragment(read.sequence, read.decode_time, read.samples, piece.payload, video=True)
        )
    assert b"".join(rebuilt) == stream


def test_fragments_of_ffmpeg_are_read() -> None:
    path = copied("cmaf.mp4", "-an", "-movflags", "+cmaf+frag_keyframe+default_base_moof")
    splitter = FragmentSplitter()
    init, *fragments = splitter.feed(path.read_bytes())
    splitter.finish()
    assert isinstance(init, InitSegment)
    timescale = read_init(init.data).timescale
    frames, end = 0, 0
    for piece in fragments:
        assert isinstance(piece, Fragment)
        read = read_moof(piece.moof)
        assert read.payload_offset == len(piece.moof) + 8
        assert read.samples.payload_bytes == len(piece.payload)
        assert read.samples.keyframes.tolist()[0]
        assert read.decode_time == end
        end += read.samples.ticks
        frames += len(read.samples)
    assert frames == 60
    assert end * 30_000 == 60 * 1001 * timescale


def progressive(path: Path) -> bytes:
    """Return a faststart MP4 with the tracks of a file, in chunks of 7 and 20."""
    data = path.read_bytes()
    video, audio = index_file(path).tracks
    tracks = []
    for track, in_chunk in ((video, 7), (audio, 20)):
        counts = [in_chunk] * (len(track.sizes) // in_chunk)
        if len(track.sizes) % in_chunk:
            counts.append(len(track.sizes) % in_chunk)
        start = int(track.pts[0])
        dts = start + np.cumsum(track.durations) - track.durations
        tracks.append(
            ProgressiveTrack(
                video=track.kind == "video",
                stsd=track.stsd,
                timescale=track.timescale,
                width_px=track.width_px,
                height_px=track.height_px,
                sizes=track.sizes,
                durations=track.durations,
                composition_offsets=track.pts - dts,
                keyframes=track.keyframes,
                start_ticks=start,
                chunks=counts,
            )
        )
    head = layout(tracks)
    parts = [head.head]
    for chunk in head.chunks:
        first = sum(tracks[chunk.track].chunks[: chunk.number])
        end = first + tracks[chunk.track].chunks[chunk.number]
        parts.append(bytes_of(data, (video, audio)[chunk.track], first, end))
    whole = b"".join(parts)
    assert len(whole) == head.size_bytes
    return whole


def decoded(media: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return (time, luma) of all shown frames, and the sound."""
    frames: list[tuple[int, bytes]] = []
    with av.open(io.BytesIO(media), "r") as container:
        for picture in container.decode(video=0) if container.streams.video else ():
            assert picture.pts is not None
            assert picture.time_base is not None
            time = round(picture.pts * picture.time_base * TIMESCALE)
            frames.append((time, picture.to_ndarray(format="gray").tobytes()))
    with av.open(io.BytesIO(media), "r") as container:
        sound = [moment.to_ndarray().T.tobytes() for moment in container.decode(audio=0)]
    return frames, b"".join(sound)


def test_a_progressive_file_plays_as_the_source_does() -> None:
    theirs, their_sound = decoded(original().read_bytes())
    ours, our_sound = decoded(progressive(original()))
    assert [time for time, _ in ours] == [4004 * n for n in range(60)]
    assert ours == theirs
    assert our_sound == their_sound


def test_the_download_is_indexed_like_its_source(tmp_path: Path) -> None:
    path = tmp_path / "download.mp4"
    path.write_bytes(progressive(original()))
    for ours, theirs in zip(index_file(path).tracks, index_file(original()).tracks, strict=True):
        assert ours.pts.tolist() == theirs.pts.tolist()
        assert ours.sizes.tolist() == theirs.sizes.tolist()
        assert ours.keyframes.tolist() == theirs.keyframes.tolist()


@pytest.mark.parametrize("own", [True, False])
def test_sound_plays_from_our_own_sample_entry(own: bool) -> None:
    data, audio = original().read_bytes(), index_file(original()).tracks[1]
    config = parse_esds(audio.stsd)
    stsd = (
        aac_stsd(44_100, 2)
        if own
        else stsd_of(config.specific, sample_rate_hz=44_100, channels=2, bit_rate_bps=96_000)
    )
    count = len(audio.sizes)
    samples = Samples(
        sizes=audio.sizes,
        durations=audio.durations,
        composition_offsets=np.zeros(count, np.int64),
        keyframes=audio.keyframes,
    )
    payload = bytes_of(data, audio, 0, count)
    stream = audio_init(stsd, timescale=44_100) + fragment(1, 0, samples, payload, video=False)
    _, sound = decoded(stream)
    _, expected = decoded(original().read_bytes())
    # The source's edit list hides the priming packet; here it is heard.
    assert len(sound) == count * 1024 * 8
    assert expected in sound
