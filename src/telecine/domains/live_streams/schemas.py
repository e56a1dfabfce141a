"""What goes over the wire for live streams."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from telecine.domains.live_streams.restreams import Restream
from telecine.domains.videos.schemas import Flag, PlayerId
from telecine.http.schemas import Pagination, Wire
from telecine.http.services import IngestProtocol
from telecine.http.text import NO_NUL, invalid

MOST_RESTREAMS = 5

_FORM = "[rtmp|rtmps]://[host]/[app name]."
_RTMP_URL = re.compile(r"rtmps?://(?:[^/\s@]+@)?[^/\s?#@]+(?P<app>/[^\s]*)?", re.ASCII)


def _not_null(value: object) -> object:
    if value is None:
        raise invalid("This value should not be null.")
    return value


def _not_blank(text: str) -> str:
    if not text.strip():
        raise invalid("This value should not be blank.")
    return text


def _rtmp_url(text: str) -> str:
    found = _RTMP_URL.fullmatch(text)
    if found is None:
        raise invalid(f"RTMP URL should have the following format: {_FORM}")
    if not (found["app"] or "").strip("/"):
        raise invalid(f"Missing app name: {_FORM}")
    return text


_Given = BeforeValidator(_not_null)
Name = Annotated[str, StringConstraints(max_length=1000), NO_NUL, AfterValidator(_not_blank)]


class RestreamInput(Wire):
    """A target to send the stream on to, while it is on the air."""

    name: Annotated[
        str, _Given, StringConstraints(max_length=255), NO_NUL, AfterValidator(_not_blank)
    ]
    server_url: Annotated[
        str,
        _Given,
        StringConstraints(max_length=2048),
        NO_NUL,
        AfterValidator(_not_blank),
        AfterValidator(_rtmp_url),
    ]
    stream_key: Annotated[
        str, _Given, StringConstraints(max_length=1024), NO_NUL, AfterValidator(_not_blank)
    ]


class _Editable(Wire):
    """What can be chosen; null counts as absent but for `playerId`."""

    public: Flag | None = Field(default=None, description="Whether anybody may watch it.")
    player_id: PlayerId | None = None
    restreams: Annotated[list[RestreamInput], Field(max_length=MOST_RESTREAMS)] | None = Field(
        default=None, description="Replaces all targets; an empty list removes them."
    )
    record: Flag | None = Field(
        default=None,
        description="Whether events are recorded, from the next one on; they are if absent. "
        "Current clients of api.video do not send it.",
    )

    def columns(self) -> dict[str, Any]:
        """Return the values to store, by column, without the targets."""
        given = self.model_dump(include=self.model_fields_set - {"restreams"})
        return {
            name: value for name, value in given.items() if value is not None or name == "player_id"
        }

    def targets(self) -> tuple[Restream, ...] | None:
        """Return the targets, None where they are to stay."""
        if self.restreams is None:
            return None
        return tuple(Restream(**each.model_dump()) for each in self.restreams)


class LiveStreamCreation(_Editable):
    """A new live stream; its key is ours to choose."""

    name: Name


class LiveStreamUpdate(_Editable):
    """Changes of a live stream; absent members stay."""

    name: Name = ""


class RestreamDocument(Wire):
    """A target to send the stream on to, while it is on the air."""

    name: str
    server_url: str
    stream_key: str


class LiveStreamAssets(Wire):
    """Where a live stream is watched."""

    iframe: str
    player: str
    hls: str
    thumbnail: str


class LiveStreamDocument(Wire):
    """A live stream. Encoders publish with `streamKey`."""

    live_stream_id: str
    name: str
    stream_key: str
    public: bool
    assets: LiveStreamAssets
    player_id: str | None = None
    broadcasting: bool = Field(description="Whether an event is on the air.")
    restreams: list[RestreamDocument]
    created_at: datetime
    updated_at: datetime


class RestreamStatus(Wire):
    """How a target of a live stream is doing. `serverUrl` without user and password.

    `reason` tells why the last attempt ended; `attempts` counts those since it was live.
    """

    name: str
    server_url: str
    state: Literal["off", "connecting", "live", "waiting"]
    since: datetime | None = None
    reason: str | None = None
    attempts: int = 0
    sent_bytes: int = 0
    dropped_tags: int = 0


class RestreamStatusList(Wire):
    """All targets of a live stream; all `off` while nothing is on the air."""

    live_stream_id: str
    on_air: bool
    data: list[RestreamStatus]


class TrackHealth(Wire):
    """A track that the encoder sends; `codec` as RFC 6381 names it."""

    type: Literal["video", "audio"]
    codec: str
    width: int | None = None
    height: int | None = None


class LinkHealth(Wire):
    """How the way from an encoder that speaks SRT is doing; packets since it connected.

    `lostPackets` were missing at first, `droppedPackets` of them for good. A packet that is
    missing is waited for as long as `latencyMs`.
    """

    rtt_ms: float
    latency_ms: int
    received_packets: int
    lost_packets: int
    dropped_packets: int


class Health(Wire):
    """How the event and its encoder are doing.

    `bitrate` (bit/s) and `frameRate` (Hz) are those of the last ten seconds; `silentMs` is how
    long nothing has come. `recordingFailure` tells why the recording was cut short.
    """

    publishing: bool
    protocol: IngestProtocol | None = None
    link: LinkHealth | None = None
    silent_ms: int
    lasting_s: float
    tracks: list[TrackHealth]
    bitrate: int
    frame_rate: float
    key_frame_distance_ms: int | None = None
    interruptions: int
    recording_failure: str | None = None


class LiveStreamHealth(Wire):
    """Whether an event is on the air, and how it is doing."""

    live_stream_id: str
    on_air: bool
    health: Health | None = None


class IngestAddress(Wire):
    """Where encoders publish to; the stream key goes behind the URL.

    Behind a slash for RTMP and RTMPS, right behind it for SRT.
    """

    protocol: IngestProtocol
    url: str


class IngestAddressList(Wire):
    """All addresses of this installation."""

    data: list[IngestAddress]


class LiveStreamList(Wire):
    """A page of live streams."""

    data: list[LiveStreamDocument]
    pagination: Pagination
