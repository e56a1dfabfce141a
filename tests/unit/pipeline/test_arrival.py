from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from telecine.pipeline.arrival import NotIndexedError, segment_bytes
from telecine.pipeline.model import AudioRendition, Plan
from telecine.pipeline.sample_index import SampleIndex, SampleTrack


def track(pts: list[int], offsets: list[int], size: int = 10, timescale: int = 10) -> SampleTrack:
    times = np.array(pts, dtype=np.int64)
    return SampleTrack(
        timescale=timescale,
        zero_ticks=Fraction(0),
        sizes=np.full(len(pts), size, dtype=np.int64),
        offsets=np.array(offsets, dtype=np.int64),
        dts=np.sort(times),
        pts=times,
        keyframes=np.ones(len(pts), dtype=bool),
        stsd=b"",
    )


def plan(cuts: tuple[int, ...], audio: AudioRendition | None = None) -> Plan:
    return Plan(
        version=1,
        frame_rate=Fraction(10),
        frames=cuts[-1],
        piece_cuts=cuts,
        segment_pieces=tuple(range(len(cuts))),
        chunk_segments=(0, len(cuts) - 1),
        renditions=(),
        audio=audio,
        target_duration_s=1,
        width_px=16,
        height_px=16,
    )


def test_a_segment_needs_everything_before_the_last_picture_that_it_shows() -> None:
    # Decoding order: the picture at 4 comes before those at 2 and 3, which refer to it.
    pictures = track([0, 1, 4, 2, 3, 5], [100, 110, 120, 130, 140, 150])
    assert segment_bytes(plan((0, 2, 4, 6)), SampleIndex(pictures, None)) == (120, 150, 160)


def test_media_that_lies_out_of_order_is_waited_for() -> None:
    pictures = track([0, 1, 2, 3], [900, 100, 110, 120])
    assert segment_bytes(plan((0, 2, 4)), SampleIndex(pictures, None)) == (910, 910)


def test_sound_is_waited_for_too_and_a_little_ahead() -> None:
    audio = AudioRendition(
        passthrough=False,
        codecs="mp4a.40.2",
        sample_rate_hz=48_000,
        channels=2,
        bit_rate_bps=1,
        packets=3,
        segment_packets=(0, 1, 2),
    )
    pictures = track(list(range(20)), [100 + 10 * n for n in range(20)])
    sound = track(list(range(20)), [1000 + 10 * n for n in range(20)])
    needed = segment_bytes(plan((0, 10, 20), audio), SampleIndex(pictures, sound))
    assert needed == (1150, 1200)
    with pytest.raises(NotIndexedError):
        segment_bytes(plan((0, 10, 20), audio), SampleIndex(pictures, None))


def test_what_has_arrived_can_be_made() -> None:
    whole = replace(plan((0, 2, 4, 6)), segment_bytes=(120, 150, 160))
    arrived = [whole.arrived_segments(size) for size in (0, 119, 120, 159, 160, 999)]
    assert arrived == [0, 0, 1, 2, 3, 3]
    assert whole.arrived_segments(None) == 3
    assert plan((0, 2, 4)).arrived_segments(0) == 2  # made of what was there
