"""The operator's view of the work on a video."""

from datetime import datetime
from typing import Any

from telecine.http.schemas import Wire


class StepDocument(Wire):
    """Something that was done to an asset; `detail` has figures or the reason."""

    name: str
    state: str
    attempt: int
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


class WorkDocument(Wire):
    """The work on the current asset of a video."""

    video_id: str
    epoch: int
    state: str
    failure: str | None
    duration_s: float | None
    playable_at: datetime | None
    renditions: list[RenditionDocument]
    steps: list[StepDocument]
