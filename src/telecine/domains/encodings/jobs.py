"""What workers can be asked to do for an asset."""

from dataclasses import dataclass
from uuid import UUID

from telecine.domains.encodings import wants
from telecine.domains.words.jobs import MakeSummary, MakeTranscript
from telecine.jobs.job import Job, Lane
from telecine.pipeline.extra import EXTRA_CODECS


@dataclass(frozen=True, slots=True)
class ProbeAsset(Job):
    """Look into the source, plan every rendition, make the video playable."""

    lane, attempts, timeout_s = Lane.PROBE, 5, 300.0

    asset_id: UUID


@dataclass(frozen=True, slots=True)
class GrowAsset(Job):
    """Look at what has arrived of a source, and make it playable; at its end, conclude."""

    lane, attempts, timeout_s = Lane.GROWING, 5, 900.0

    asset_id: UUID


@dataclass(frozen=True, slots=True)
class EncodeChunk(Job):
    """Encode whatever is missing of one chunk in every transcoded rendition."""

    lane, attempts, timeout_s = Lane.LADDER, 5, 3600.0

    asset_id: UUID
    chunk: int


@dataclass(frozen=True, slots=True)
class EncodeExtra(Job):
    """Encode whatever is missing of one chunk in the renditions of a codec beside H.264."""

    lane, attempts, timeout_s = Lane.EXTRA, 3, 4 * 3600.0

    asset_id: UUID
    codec: str
    chunk: int


@dataclass(frozen=True, slots=True)
class EncodeAudio(Job):
    """Encode one span (300 s) of the audio rendition."""

    lane, attempts, timeout_s = Lane.LADDER, 5, 900.0

    asset_id: UUID
    span: int


@dataclass(frozen=True, slots=True)
class FinishRendition(Job):
    """Write the immutable index of a rendition whose pieces are all stored."""

    lane, attempts, timeout_s = Lane.SYSTEM, 8, 600.0

    asset_id: UUID
    rendition_id: UUID


@dataclass(frozen=True, slots=True)
class TakeStill(Job):
    """Take the thumbnail from the source; `at_ms` < 0: choose a good one."""

    lane, attempts, timeout_s = Lane.PROBE, 4, 120.0

    asset_id: UUID
    at_ms: int


@dataclass(frozen=True, slots=True)
class MakeStoryboard(Job):
    """Make the small pictures that are shown while a viewer seeks."""

    lane, attempts, timeout_s = Lane.SYSTEM, 4, 1800.0

    asset_id: UUID


@dataclass(frozen=True, slots=True)
class RetryAsset(Job):
    """Ask again for all work on renditions that are not complete."""

    lane, attempts, timeout_s = Lane.PROBE, 5, 60.0

    asset_id: UUID


@dataclass(frozen=True, slots=True)
class CheckAsset(Job):
    """Check what is stored against the plan; `compared` 1: whole segments with the source."""

    lane, attempts, timeout_s = Lane.LADDER, 3, 1800.0

    asset_id: UUID
    compared: int = 0


@dataclass(frozen=True, slots=True)
class SweepAsset(Job):
    """Delete what lost a race: objects of a finished asset that no row names."""

    lane, attempts, timeout_s = Lane.SYSTEM, 5, 600.0

    asset_id: UUID


@dataclass(frozen=True, slots=True)
class RemoveMedia(Job):
    """Delete every object of a video that was deleted, then its row."""

    lane, attempts, timeout_s = Lane.SYSTEM, 20, 3600.0

    video_id: UUID
    prefix: str


def step_name(job: Job) -> str | None:
    """Return the name of the step in which a job is told; None: it is not."""
    if isinstance(job, EncodeChunk):
        return f"chunk {job.chunk}"
    if isinstance(job, EncodeExtra):
        return f"{job.codec} {job.chunk}"
    if isinstance(job, EncodeAudio):
        return f"audio {job.span}"
    return _STEPS.get(type(job))


def attempts_of(step: str) -> int:
    """Return how often the job of a step is tried."""
    return _ATTEMPTS.get(step.partition(" ")[0], 1)


_STEPS: dict[type[Job], str] = {
    ProbeAsset: "probe",
    TakeStill: "thumbnail",
    MakeStoryboard: "storyboard",
    CheckAsset: "report",
    MakeTranscript: "transcript",
    MakeSummary: "summary",
}
_ATTEMPTS = {
    "on": wants.ATTEMPTS,  # demand: no job, but told beside them
    "probe": ProbeAsset.attempts,
    "chunk": EncodeChunk.attempts,
    **{codec.name: EncodeExtra.attempts for codec in EXTRA_CODECS},
    "audio": EncodeAudio.attempts,
    "finish": FinishRendition.attempts,
    "thumbnail": TakeStill.attempts,
    "storyboard": MakeStoryboard.attempts,
    "report": CheckAsset.attempts,
    "transcript": MakeTranscript.attempts,
    "summary": MakeSummary.attempts,
}
