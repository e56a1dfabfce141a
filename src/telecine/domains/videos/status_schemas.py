"""What goes over the wire for the status of a video."""

from typing import Literal

from pydantic import Field

from telecine.http.schemas import Wire


class ReceivedRange(Wire):
    """A range of bytes that has arrived, both ends inclusive."""

    first: int = Field(alias="from")
    last: int = Field(alias="to")
    total: int | None


class ReceivedParts(Wire):
    """The parts that have arrived, ascending."""

    parts: list[int]
    total: int | None


class Ingest(Wire):
    """How far the source has come."""

    status: Literal["uploading", "uploaded", "ingesting", "ingested"]
    filesize: int | None
    received_bytes: list[ReceivedRange]
    received_parts: ReceivedParts | None = None


class Quality(Wire):
    """One quality of a video."""

    type: Literal["hls", "mp4"]
    quality: Literal["240p", "360p", "480p", "720p", "1080p", "2160p"]
    status: Literal["waiting", "encoding", "encoded", "failed"]


class EncodingMetadata(Wire):
    """The source as it was found; bitrate in kbit/s, duration in whole seconds, as shown."""

    width: int | None
    height: int | None
    bitrate: float | None
    duration: int | None
    framerate: int | None
    samplerate: int | None
    video_codec: str | None
    audio_codec: str | None
    aspect_ratio: str | None


class Encoding(Wire):
    """How far the qualities have come."""

    playable: bool
    qualities: list[Quality]
    metadata: EncodingMetadata


class VideoStatus(Wire):
    """The status of a video; `ingest` is null as long as nothing was received."""

    ingest: Ingest | None
    encoding: Encoding
