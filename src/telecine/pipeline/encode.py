"""Encodes whole segments of any renditions: exactly the frames of the plan, or an error."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType

import structlog

from telecine.ffmpeg.meter import note_trouble
from telecine.ffmpeg.runner import Brake, Limits, MediaError, Progress, Runner, RunnerError
from telecine.formats.errors import FormatError
from telecine.pipeline import argv
from telecine.pipeline.collector import Collector, EncodedRendition, OnPiece, joined_spans
from telecine.pipeline.encoders import Encoder, software
from telecine.pipeline.feed import FeedError, given
from telecine.pipeline.limits import cpu_limit_s, memory_limit_bytes, wall_limit_s
from telecine.pipeline.model import Plan, Probe, VideoRendition, VideoTrack
from telecine.pipeline.parameter_sets import holds, is_joined, joined
from telecine.pipeline.reader import SourceReader
from telecine.pipeline.retime import Retimer, WrongOutputError
from telecine.pipeline.sample_index import SampleIndex

log = structlog.get_logger()

_STALL_S = 60.0
_OTHER_MANNER_HELPS = frozenset(("crashes-decoder", "unreadable", "stalled"))
_PREROLL_S = 10  # decoded from the key frame before, in the middle of long GOPs
_FIRST_ATTEMPT = (argv.REACHES[0], argv.USUAL)


class NoPictureError(MediaError):
    """Nothing of a stretch of the source could be decoded."""

    def __init__(self, detail: str) -> None:
        super().__init__("undecodable", detail)


async def encode_chunk(  # noqa: PLR0913 - what is encoded, and what may be left out
    runner: Runner,
    source: SourceReader,
    samples: SampleIndex | None,
    probe: Probe,
    plan: Plan,
    renditions: Sequence[str],
    first_segment: int,
    end_segment: int,
    *,
    watermarks: Sequence[bytes] = (),
    inits: Mapping[str, bytes] = MappingProxyType({}),
    hardware: Encoder | None = None,
    apart: bool = False,
    on_piece: OnPiece | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    brake: Brake | None = None,
    niceness: int = 0,
) -> list[EncodedRendition]:
    """Encode segments [first, end) of `renditions`, in the order of their names.

    With `samples` any reader will do, without them the source must be a local file.
    `watermarks` are the pictures (PNG) of the plan's watermarks. `inits` are the init segments
    that are stored already: what can be made for them is. `hardware` is tried first; what it
    cannot do is done in software, and then `on_piece` may get a piece again.
    `apart` gives each piece an encoder of its own: it is ready as soon as its last picture
    was there, where one encoder for all looks ahead into the next one first, and needs a
    little less bits. Pieces may then come in another order.
    Every piece is checked against the plan before `on_piece` gets it.

    Raises:
        MediaError: the pictures cannot be decoded.
        RunnerError: the run failed, or made something else than the plan says.
    """
    video = probe.video
    if video is None or not renditions:
        raise ValueError("there is nothing to encode")
    chosen = [plan.rendition(name) for name in renditions]
    chosen.sort(key=lambda rendition: rendition.width_px * rendition.height_px, reverse=True)
    job = _Job(
        video=video,
        probe=probe,
        plan=plan,
        renditions=chosen,
        first_piece=plan.segment_pieces[first_segment],
        end_piece=plan.segment_pieces[end_segment],
        source=source,
        samples=samples,
        watermarks=watermarks,
        inits=inits,
        hardware=hardware,
        apart=apart,
        on_piece=on_piece,
    )
    encoded = await job.persist(runner, on_progress, brake, niceness)
    by_name = {rendition.name: rendition for rendition in encoded}
    return [by_name[name] for name in renditions]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is encoded, whatever the number of attempts."""

    video: VideoTrack
    probe: Probe
    plan: Plan
    renditions: list[VideoRendition]  # largest first
    first_piece: int
    end_piece: int
    source: SourceReader
    samples: SampleIndex | None
    watermarks: Sequence[bytes]
    inits: Mapping[str, bytes]
    hardware: Encoder | None
    apart: bool
    on_piece: OnPiece | None

    async def persist(
        self,
        runner: Runner,
        on_progress: Callable[[Progress], None] | None,
        brake: Brake | None,
        niceness: int,
    ) -> list[EncodedRendition]:
        """Try every manner of decoding, each with more of the source where it must be.

        Raises as `encode_chunk`: what the last attempt ended in.
        """
        failure: MediaError | RunnerError | None = None
        if self.hardware is not None and self._is_for(self.hardware):
            try:
                return await self.in_hardware(runner, self.hardware, on_progress, brake, niceness)
            except FeedError as error:
                raise RunnerError("source", str(error)) from error
            except (MediaError, RunnerError, WrongOutputError, FormatError) as error:
                note_trouble(f"{self.hardware.name}: {error}")
                log.warning("encode in software", failed=self.hardware.name, reason=str(error))
        for manner in argv.MANNERS:
            # The steps between were tried in the usual manner.
            for reach in argv.REACHES if manner == argv.USUAL else argv.REACHES[::2]:
                try:
                    return await self.run(runner, (reach, manner), on_progress, brake, niceness)
                except NoPictureError as error:
                    failure = error
                except (WrongOutputError, FormatError) as error:
                    failure = RunnerError("wrong-output", str(error))
                    break
                except FeedError as error:
                    raise RunnerError("source", str(error)) from error
                except (MediaError, RunnerError) as error:
                    if error.reason not in _OTHER_MANNER_HELPS:
                        raise
                    failure = error
                    break
            note_trouble(f"{failure}")
            log.warning("encode in another manner", reason=str(failure), tried=str(manner))
        if failure is None:
            raise ValueError("there is no manner of decoding")
        raise failure

    async def in_hardware(
        self,
        runner: Runner,
        encoder: Encoder,
        on_progress: Callable[[Progress], None] | None,
        brake: Brake | None,
        niceness: int,
    ) -> list[EncodedRendition]:
        """Run ffmpeg once, so that software could go on anywhere.

        Raises also:
            WrongOutputError: the stored init segments are not for this encoder.
        """
        spare = {}
        suited = [each for each in self.renditions if encoder.suits(each)]
        unknown = [each for each in suited if each.name not in self.inits]
        if unknown:
            # Two pictures of the beginning tell the header that software would make.
            ours = software(second={each.name for each in unknown})
            beginning = replace(self, renditions=unknown, apart=False, on_piece=None)
            made = await beginning.run(runner, _FIRST_ATTEMPT, None, brake, niceness, ours, 2)
            spare = {each.name: each.init for each in made}

        def settled(name: str, init: bytes) -> bytes:
            known = self.inits.get(name)
            if name in spare:
                return joined(init, spare[name])
            if known is None:
                return init  # software's
            if not holds(known, init):
                raise WrongOutputError(f"{name}: another encoder's init segment is stored")
            return known

        return await self.run(
            runner, _FIRST_ATTEMPT, on_progress, brake, niceness, encoder, settled=settled
        )

    async def run(
        self,
        runner: Runner,
        attempt: tuple[tuple[int, int], argv.Manner],
        on_progress: Callable[[Progress], None] | None,
        brake: Brake | None,
        niceness: int,
        encoder: Encoder | None = None,
        frames: int | None = None,
        *,
        settled: Callable[[str, bytes], bytes] | None = None,
    ) -> list[EncodedRendition]:
        """Run ffmpeg once in a manner, on so many key frames more than needed on both sides.

        `encoder`: software, if none is given; `settled` gives the init segment to keep for
        one that was made. With `frames` only so many are encoded, for their init segments.

        Raises:
            NoPictureError: not one could be decoded.
        """
        reach, manner = attempt
        encoder = encoder or software(self._second())
        pieces = self._spans() if frames is None else [(self.first_piece, self.end_piece)]
        cuts = self.plan.piece_cuts
        first_frame, end_frame = cuts[self.first_piece], cuts[self.end_piece]
        if frames is not None:
            end_frame = first_frame + frames
        # A fragment is written when the next key frame comes, or at the end of the whole run:
        # so every encoder but the last one gets that frame, too.
        spans = [(cuts[first], min(cuts[end] + self._step, end_frame)) for first, end in pieces]
        collectors = self._collectors(
            pieces, settled or self._kept, headers_only=frames is not None
        )
        feed, read, begins = given(
            self.source, self.samples, self.probe, self.plan, (first_frame, end_frame), reach
        )
        try:
            result = await runner.run(
                argv.encode(
                    self.video,
                    self.plan,
                    self.renditions,
                    spans,
                    read,
                    manner,
                    encoder,
                ),
                limits=self._limits(Fraction(end_frame - first_frame), reach, niceness, encoder),
                feed=feed,
                input_file=None if feed is not None else self.source.local_path,
                outputs=[collector.take for collector in collectors],
                attachments=self.watermarks,
                devices=encoder.devices,
                on_progress=on_progress,
                brake=brake,
            )
        except MediaError as error:
            # An encoder that gets nothing cannot be opened: an error without pieces.
            if error.reason == "unreadable" and not any(each.pieces for each in collectors):
                raise NoPictureError(error.detail) from error
            raise
        if not any(each.pieces for each in collectors):
            raise NoPictureError(result.stderr_tail)
        said = result.complaints
        # A decoder that begins in the middle misses what it never saw, also in sound media.
        concealed = said.damage + (said.missing if begins else 0)
        concealed += (reach != argv.REACHES[0]) + manner.tolerant
        outputs = iter(collectors)
        return [
            joined_spans(rendition.name, [next(outputs) for _ in pieces], concealed)
            for rendition in self.renditions
        ]

    def _collectors(
        self,
        pieces: Sequence[tuple[int, int]],
        settled: Callable[[str, bytes], bytes],
        *,
        headers_only: bool,
    ) -> list[Collector]:
        """Return what takes the output of each encoder, in their order."""
        return [
            Collector(
                Retimer(self.plan, rendition, self.plan.piece_cuts[first]),
                (first, end),
                self.on_piece,
                settled,
                overlaps=end < self.end_piece,
                headers_only=headers_only,
            )
            for rendition in self.renditions
            for first, end in pieces
        ]

    @property
    def _step(self) -> int:
        """How many frames of the plan lie between two pictures of the slowest rendition."""
        return max(rendition.rate_divisor for rendition in self.renditions)

    def _spans(self) -> list[tuple[int, int]]:
        """Return the pieces [first, end) that each encoder makes."""
        cuts = self.plan.piece_cuts[self.first_piece : self.end_piece + 1]
        # Half the pictures and a cut between two of them: one encoder keeps their times.
        even = all(cut % self._step == 0 for cut in cuts)
        if not self.apart or not even:
            return [(self.first_piece, self.end_piece)]
        return [(piece, piece + 1) for piece in range(self.first_piece, self.end_piece)]

    def _is_for(self, encoder: Encoder) -> bool:
        """Tell whether an encoder may be tried: not where software made what is stored."""
        suited = [each.name for each in self.renditions if encoder.suits(each)]
        stored = [self.inits[name] for name in suited if name in self.inits]
        return bool(suited) and all(map(is_joined, stored))

    def _second(self) -> set[str]:
        """Return the renditions in whose init segment software comes second."""
        return {name for name, init in self.inits.items() if is_joined(init)}

    def _kept(self, name: str, init: bytes) -> bytes:
        known = self.inits.get(name)
        return known if known is not None and holds(known, init) else init

    def _limits(
        self, frames: Fraction, reach: tuple[int, int], niceness: int, encoder: Encoder
    ) -> Limits:
        media_s = frames / self.plan.frame_rate + _PREROLL_S * (1 + sum(reach) // 8)
        pixels = self.video.coded_width_px * self.video.coded_height_px
        extra = sum(rendition.codec != "h264" for rendition in self.renditions)
        return Limits(
            cpu_s=cpu_limit_s(media_s, extra),
            memory_bytes=memory_limit_bytes(pixels, extra) + encoder.address_space_bytes,
            wall_s=wall_limit_s(media_s, extra),
            stall_s=_STALL_S,
            niceness=niceness,
        )
