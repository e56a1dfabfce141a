"""What is wrong with a stored audio rendition is named, too."""

from dataclasses import replace

import numpy as np
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.formats.mp4.fragment import Moof
from telecine.pipeline.conformance import LATEST_AUDIO_S, Rates, Track, check_audio
from telecine.pipeline.plan import plan
from telecine.pipeline.probe import probe
from tests.fixtures.media import barcode_mp4
from tests.integration.pipeline.test_conformance import broken, with_moof
from tests.integration.pipeline.test_encode import local
from tests.integration.pipeline.test_inputs import copied_track

pytestmark = pytest.mark.anyio


async def test_what_is_wrong_is_named() -> None:
    clip = barcode_mp4()
    probed = await probe(Runner(find_ffmpeg(None), "required"), local(clip), clip.name)
    made = plan(probed.probe)
    audio, track = made.audio, copied_track(probed, made, clip, "audio")
    assert audio is not None
    assert len(track.moofs) > 1
    end = audio.start_samples(audio.segment_packets[-1])
    right = Rates(50_000_000, round(sum(track.sizes) * 8 * audio.sample_rate_hz / end))

    def check(looked_at: Track, declared: Rates = right) -> set[str]:
        return broken(check_audio(made, looked_at, declared))

    assert check(track) == set()
    moof = track.moofs[1]
    samples = moof.samples

    # One packet less, whose time the one before has as well.
    shorter = replace(
        samples,
        sizes=samples.sizes[:-1],
        durations=np.append(samples.durations[:-2], samples.durations[-2:].sum()),
        composition_offsets=samples.composition_offsets[:-1],
        keyframes=samples.keyframes[:-1],
    )
    assert check(with_moof(track, 1, replace(moof, samples=shorter))) == {"frames"}
    late = replace(moof, decode_time=moof.decode_time + 1)
    assert {"starts", "decoding order"} <= check(with_moof(track, 1, late))
    durations = samples.durations.copy()
    durations[0], durations[1] = 0, durations[0] + durations[1]
    still = replace(samples, durations=durations)
    assert check(with_moof(track, 1, replace(moof, samples=still))) == {"decoding order"}
    assert check(replace(track, init=track.init[:100])) == {"codecs"}
    assert check(replace(track, moofs=track.moofs[:-1])) == {"fragments"}

    edges = [audio.start_samples(packet) for packet in audio.segment_packets]
    peak_bps = max(
        size * 8 * audio.sample_rate_hz / (after - before)
        for size, before, after in zip(track.sizes, edges, edges[1:], strict=False)
    )
    assert check(track, replace(right, peak_bps=round(peak_bps))) == set()
    assert check(track, replace(right, peak_bps=round(peak_bps * 0.99))) == {"bandwidth"}
    off = replace(right, average_bps=round(right.average_bps * 1.03))
    assert check(track, off) == {"average bandwidth"}
    other = replace(made, audio=replace(audio, codecs="mp4a.40.5"))
    assert broken(check_audio(other, track, right)) == {"codecs"}


async def test_sound_that_is_not_beside_its_pictures_is_named() -> None:
    """As a plan and a rendition of it would be that agree on something wrong."""
    clip = barcode_mp4()
    probed = await probe(Runner(find_ffmpeg(None), "required"), local(clip), clip.name)
    made = plan(probed.probe)
    assert made.audio is not None
    track, rate_hz = copied_track(probed, made, clip, "audio"), made.audio.sample_rate_hz
    right = Rates(50_000_000, 0)

    def moved(moof: Moof, ticks: int) -> Moof:
        return replace(moof, decode_time=moof.decode_time + ticks)

    later = replace(track, moofs=[moved(moof, 1) for moof in track.moofs])
    assert "audio offset" in broken(check_audio(made, later, right))
    assert "audio offset" not in broken(check_audio(made, track, right))
    too_long_s = LATEST_AUDIO_S + 3 * 1024 / rate_hz
    last = track.moofs[-1]
    durations = last.samples.durations.copy()
    durations[-1] += int(too_long_s * rate_hz)
    longer = replace(last, samples=replace(last.samples, durations=durations))
    found = broken(check_audio(made, with_moof(track, len(track.moofs) - 1, longer), right))
    assert "audio offset" in found
