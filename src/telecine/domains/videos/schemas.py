"""What goes over the wire for videos."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from telecine.domains.videos import languages, timecodes
from telecine.domains.videos.clips import ASSUMED_RATE, Span
from telecine.domains.videos.naming import is_video_id
from telecine.domains.watermarks.schemas import VideoWatermark
from telecine.http.query import date_time
from telecine.http.schemas import Pagination, Wire
from telecine.http.text import NO_NUL, Text, invalid
from telecine.net.errors import Refused
from telecine.net.urls import parse_url

_NOT_A_TIMECODE = "This value must be a timecode (hh:mm:ss.ms, hh:mm:ss:frame or seconds)."
MAX_PAIR_BYTES = 2500
"""What fits into an index entry (PostgreSQL: 2704 bytes)."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise invalid("This value should not be blank.")
    return text


def _language(tag: str) -> str:
    detail = languages.objection(tag)
    if detail is not None:
        raise invalid(detail)
    return tag


def _source(text: str) -> str:
    if is_video_id(text):
        return text
    try:
        parse_url(text)
    except Refused as error:
        detail = f"This value must be an http(s) URL or the id of a video: {error}."
        raise invalid(detail) from None
    return text


def _timecode(text: str) -> str:
    try:
        timecodes.milliseconds(text, ASSUMED_RATE)
    except ValueError:
        raise invalid(_NOT_A_TIMECODE) from None
    return text


def _moment(value: object) -> datetime:
    try:
        return date_time(value if isinstance(value, str) else "")
    except ValueError:
        # The type's prefix decides the documented title.
        raise PydanticCustomError("datetime_text", "not an ISO 8601 date") from None


Title = Annotated[str, StringConstraints(max_length=1000), NO_NUL, AfterValidator(_not_blank)]
Description = Annotated[str, StringConstraints(max_length=10_000), NO_NUL]
Tag = Annotated[str, StringConstraints(max_length=255), NO_NUL]
Flag = Annotated[bool, Field(strict=True)]
Language = Annotated[str, AfterValidator(_language)]
PlayerId = Annotated[str, StringConstraints(max_length=64), NO_NUL]
Timecode = Annotated[
    str, AfterValidator(_timecode), Field(json_schema_extra={"pattern": timecodes.PATTERN})
]


class Metadata(Wire):
    """A pair of texts that belongs to a video."""

    key: Annotated[str, StringConstraints(max_length=255), NO_NUL]
    value: Text


def _indexable(pair: Metadata) -> Metadata:
    if len(pair.key.encode()) + len(pair.value.encode()) > MAX_PAIR_BYTES:
        raise invalid(f"Key and value should not have more than {MAX_PAIR_BYTES} bytes together.")
    return pair


Tags = Annotated[list[Tag], Field(max_length=500)]
Pairs = Annotated[list[Annotated[Metadata, AfterValidator(_indexable)]], Field(max_length=500)]


class Clip(Wire):
    """The part of a file that becomes the video."""

    start_timecode: Timecode | None = Field(
        default=None, description="`hh:mm:ss.ms`, `hh:mm:ss:frame` (of 25) or whole seconds."
    )
    end_timecode: Timecode | None = Field(
        default=None, description="Likewise, behind the start; the end of the file if absent."
    )

    @property
    def span(self) -> Span:
        """Return it in milliseconds."""
        return Span.of(self.start_timecode, self.end_timecode)

    @field_validator("end_timecode", mode="after")
    @classmethod
    def _behind_the_start(cls, end: str | None, info: ValidationInfo) -> str | None:
        if "start_timecode" in info.data and Span.of(info.data["start_timecode"], end).empty:
            raise invalid("This value must be behind the start of the clip.")
        return end


Summaries = list[Literal["abstract", "takeaways"]]


class _Editable(Wire):
    def columns(self) -> dict[str, Any]:
        """Return the values to store, by column, of the members that were given."""
        values: dict[str, Any] = {}
        for name in self.model_fields_set & _COLUMNS.keys():
            values[name] = _COLUMNS[name](getattr(self, name))
        if "metadata" in values:
            values["metadata_"] = values.pop("metadata")
        if "language" in values:
            values["language_origin"] = None if values["language"] is None else "api"
        return values


_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(
        ("title", "public", "panoramic", "mp4_support", "player_id", "language", "published_at"),
        lambda value: value,
    ),
    "description": lambda value: value or "",
    "tags": lambda value: value or [],
    "metadata": lambda value: [{"key": pair.key, "value": pair.value} for pair in value or ()],
}


class VideoCreation(_Editable):
    """A new video; null counts as absent."""

    title: Title
    description: Description | None = None
    source: Annotated[str, AfterValidator(_source)] | None = Field(
        default=None,
        description="An http(s) URL to download, or the id of a video to copy: the answer is 202, "
        "and the status tells how far the file has come.",
    )
    public: Flag | None = None
    panoramic: Flag | None = None
    mp4_support: Flag | None = None
    player_id: PlayerId | None = None
    tags: Tags | None = None
    metadata: Pairs | None = None
    clip: Clip | None = None
    watermark: VideoWatermark | None = None
    language: Language | None = None
    transcript: Flag | None = Field(
        default=None,
        description="Whether captions are made of what is said, in `language` or the one that "
        "is recognised, where a command for it is configured.",
    )
    transcript_summary: Flag | None = Field(
        default=None,
        description="Whether a summary is made of what is said; it has the origin `auto`.",
    )
    transcript_summary_attributes: Summaries | None = None
    published_at: Annotated[datetime, BeforeValidator(_moment)] | None = None

    def columns(self) -> dict[str, Any]:
        """Return the values to store, by column; what is null gets its default."""
        values = {name: value for name, value in super().columns().items() if value is not None}
        if self.clip is not None:
            values["clip"] = self.clip.span.as_json()
        return values


class VideoUpdate(_Editable):
    """Changes of a video; absent members stay, null clears where that makes sense."""

    player_id: PlayerId | None = None
    title: Title = ""
    description: Description | None = None
    public: Flag = True
    panoramic: Flag = False
    mp4_support: Flag = True
    tags: Tags | None = None
    metadata: Pairs | None = None
    language: Language | None = None
    transcript: Flag | None = None
    transcript_summary: Flag | None = None
    transcript_summary_attributes: Summaries | None = None


class ThumbnailPick(Wire):
    """The moment whose frame becomes the thumbnail."""

    timecode: str = Field(description="`hh:mm:ss.ms`, `hh:mm:ss:frame` or whole seconds.")


class LiveStreamLink(Wire):
    """A link to a live stream."""

    rel: str
    uri: str


class SourceLiveStream(Wire):
    """The live stream that a video was recorded from."""

    live_stream_id: str
    links: list[LiveStreamLink]


class VideoSource(Wire):
    """Where the media of a video comes from."""

    uri: str
    type: str
    live_stream: SourceLiveStream | None = None


class VideoAssets(Wire):
    """The URLs of a video; those of a private one carry a token that works once."""

    iframe: str
    player: str
    hls: str
    thumbnail: str
    mp4: str | None = None


class MetadataDocument(Wire):
    """A pair of texts that belongs to a video."""

    key: str
    value: str


class VideoDocument(Wire):
    """A video."""

    video_id: str
    title: str
    description: str
    public: bool
    panoramic: bool
    mp4_support: bool
    published_at: datetime
    created_at: datetime
    updated_at: datetime
    tags: list[str]
    metadata: list[MetadataDocument]
    source: VideoSource
    assets: VideoAssets | None
    player_id: str | None = None
    language: str | None
    language_origin: Literal["api", "auto"] | None
    discarded: bool
    discarded_at: datetime | None
    deletes_at: datetime | None


class VideoList(Wire):
    """A page of videos."""

    data: list[VideoDocument]
    pagination: Pagination
