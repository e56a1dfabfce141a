"""What goes over the wire for summaries."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from telecine.http.schemas import Pagination, Wire
from telecine.http.text import NO_NUL

Words = Annotated[str, StringConstraints(max_length=20_000), NO_NUL]


class SummaryCreation(Wire):
    """Of which video, and who writes it."""

    video_id: Annotated[str, StringConstraints(max_length=64), NO_NUL]
    origin: Literal["auto"] | None = Field(
        default=None,
        description="`auto`: made of what is said in the video; where nothing is configured for "
        "that, its status is `failed`. "
        "Otherwise its words are sent to `PATCH /summaries/{summaryId}/source`.",
    )
    attributes: Annotated[list[Literal["abstract", "takeaways"]], Field(max_length=10)] | None = (
        Field(default=None, description="What to make by itself.")
    )


class SummaryDocument(Wire):
    """The summary of a video; its words are at `/summaries/{summaryId}/source`."""

    summary_id: str
    created_at: datetime
    updated_at: datetime
    video_id: str
    origin: Literal["api", "auto"]
    source_status: Literal["missing", "waiting", "failed", "completed", "unprocessable"]


class SummaryList(Wire):
    """A page of summaries."""

    data: list[SummaryDocument]
    pagination: Pagination


class SummarySourceChange(Wire):
    """New words; what is absent stays as it is."""

    abstract: Words | None = None
    takeaways: Annotated[list[Words], Field(max_length=3)] | None = None


class SummarySource(Wire):
    """The words of a summary, empty as long as there are none."""

    abstract: str
    takeaways: Annotated[list[str], Field(max_length=3)]
