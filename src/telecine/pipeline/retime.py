"""Turns what ffmpeg writes into pieces: checked, and stamped with our times."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from telecine.formats.errors import FormatError
from telecine.formats.mp4.fragment import (
    Fragment,
    InitSegment,
    Samples,
    fragment,
    read_init,
    read_moof,
    video_init,
)
from telecine.formats.mp4.sample_entry import picture_size
from telecine.pipeline.bitstream import encoded_codecs
from telecine.pipeline.model import TIMESCALE, Plan, VideoRendition

Ints = npt.NDArray[np.int64]


class WrongOutputError(Exception):
    """An encode made something else than the plan says; nothing of it may be stored."""


@dataclass(frozen=True, slots=True)
class Retimer:
    """Checks and stamps the output of one rendition in a run that began at a frame."""

    plan: Plan
    rendition: VideoRendition
    first_frame: int

    def init(self, segment: InitSegment) -> bytes:
        """Return the rendition's init segment. Raises WrongOutputError."""
        try:
            stsd = read_init(segment.data).stsd
            made = encoded_codecs(stsd)
            size = picture_size(stsd)
        except FormatError as error:
            raise WrongOutputError(f"{self.rendition.name}: {error}") from error
        # CODECS in the playlist was written before this encode began.
        expected = self.rendition.codecs
        wanted_size = (self.rendition.width_px, self.rendition.height_px)
        if made != expected or size != wanted_size:
            raise WrongOutputError(f"{self.rendition.name}: {made} {size} instead of {expected}")
        return video_init(
            stsd, timescale=TIMESCALE, width_px=wanted_size[0], height_px=wanted_size[1]
        )

    def piece(self, number: int, made: Fragment) -> bytes:
        """Return piece `number` of the plan. Raises WrongOutputError.

        Decode times are the presentation times in ascending order, so the piece begins
        with its first picture's time and ends where the next piece begins.
        """
        frames = self._frames(number)
        try:
            head = read_moof(made.moof)
        except FormatError as error:
            raise WrongOutputError(f"{self.rendition.name} {number}: {error}") from error
        samples = head.samples
        if samples.payload_bytes != len(made.payload) or not samples.keyframes[:1].all():
            raise WrongOutputError(f"{self.rendition.name} {number}: not a whole GOP")
        decoded = head.decode_time + np.cumsum(samples.durations) - samples.durations
        shown = decoded + samples.composition_offsets
        expected = (frames - self.first_frame) * self.plan.frame_rate.denominator
        if not np.array_equal(np.sort(shown), expected):
            detail = f"{len(shown)} pictures at {shown[:4]}… instead of {len(frames)}"
            raise WrongOutputError(f"{self.rendition.name} {number}: {detail}")
        cut, end = self.plan.piece_cuts[number], self.plan.piece_cuts[number + 1]
        dts = np.array([self.plan.ticks(int(frame)) for frame in frames], dtype=np.int64)
        dts[0] = self.plan.ticks(cut)
        pts = dts[np.searchsorted(expected, shown)]
        stamped = Samples(
            sizes=samples.sizes,
            durations=np.diff(dts, append=self.plan.ticks(end)),
            composition_offsets=pts - dts,
            keyframes=samples.keyframes,
        )
        return fragment(number + 1, int(dts[0]), stamped, made.payload, video=True)

    def _frames(self, number: int) -> Ints:
        """Frame numbers of a piece: all, or the even ones at half the rate."""
        first, end = self.plan.piece_cuts[number], self.plan.piece_cuts[number + 1]
        divisor = self.rendition.rate_divisor
        return np.arange(-(-first // divisor) * divisor, end, divisor, dtype=np.int64)
