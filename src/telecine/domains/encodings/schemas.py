"""The operator's view of the work on a video."""

from datetime import datetime
from typing import Any

from telecine.http.schemas import Wire


class StepDocument(Wire):
    """Something that was done to an asset.

    `progress` is a share of 1, null where it is not known; `cpu_s` is processor time of
    the last attempt. `reason`, `log` (the last lines of ffmpeg) and `next` (what will
    happen now) are there when an attempt failed; `detail` has figures, and the reason
    for programs: a slug, then what was found.
    """

    name: str
    state: str
    attempt: int
    attempts: int
    progress: float | None
    cpu_s: float | None
    reason: str | None
    log: list[str]
    next: str | None
    started_at: datetime
    finished_at: datetime | None
    detail: dict[str, Any]


class RenditionDocument(Wire):
    """How far a rendition has come; rates are bit/s, null until measured."""

    name: str
    state: str
    passthrough: bool
    pieces: int
    pieces_stored: int
    peak_bps: int | None
    average_bps: int | None
    failure: str | None
    reason: str | None


class WordsDocument(Wire):
    """What came of a transcript or a summary that was asked for."""

    state: str
    failure: str | None
    reason: str | None


class WorkDocument(Wire):
    """The work on the current asset of a video.

    `failure` is for programs, `reason` says the same to people. `remarks` tell what is
    wrong with a source that plays all the same. `transcript` and `summary` are null where
    nobody asked for one.
    """

    video_id: str
    epoch: int
    state: str
    failure: str | None
    reason: str | None
    remarks: list[str]
    duration_s: float | None
    playable_at: datetime | None
    renditions: list[RenditionDocument]
    steps: list[StepDocument]
    transcript: WordsDocument | None = None
    summary: WordsDocument | None = None


class CheckDocument(Wire):
    """One promise that a rendition makes, and the figures behind the verdict."""

    name: str
    passed: bool
    detail: str


class ComparisonDocument(Wire):
    """How near a sampled stretch is to the source, both at the rendition's size.

    VMAF (0.6.1) from 0 to 100, SSIM from 0 to 1.
    """

    segment: int
    frames: int
    vmaf: float
    ssim: float


class RenditionReport(Wire):
    """What is true of a finished rendition; `audio` is one of them.

    `remark` says why comparisons are missing.
    """

    name: str
    passed: bool
    checks: list[CheckDocument]
    comparisons: list[ComparisonDocument]
    remark: str | None = None


class ReportDocument(Wire):
    """What the stored bytes of a video's current asset say of its finished renditions.

    `compared`: whole segments were compared with the source, not a moment of one.
    """

    video_id: str
    epoch: int
    created_at: datetime
    passed: bool
    compared: bool = False
    renditions: list[RenditionReport]


class ReportWish(Wire):
    """What is looked at: `compared`, whole segments beside the source, not a moment of one."""

    compared: bool = False
