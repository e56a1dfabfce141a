"""Videos and their status as the API shows them: exact names, order and nulls."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from telecine.domains.encodings.queries import SourceStatus
from telecine.domains.videos import tokens
from telecine.domains.videos.queries import VideoRow
from telecine.http.services import PublicUrls
from telecine.http.text import atom

Json = dict[str, Any]

_METADATA = (
    "width",
    "height",
    "bitrate",
    "duration",
    "framerate",
    "samplerate",
    "videoCodec",
    "audioCodec",
    "aspectRatio",
)


def etag(row: VideoRow) -> str:
    """Return the entity tag of a version of a video, with its quotes.

    Of the row alone: each document of a private video has another token in it.
    """

    def plain(value: object) -> str:
        # In UTC, as every connection may see times in a zone of its own.
        return str(value.astimezone(UTC) if isinstance(value, datetime) else value)

    version = json.dumps(row, default=plain).encode()
    return f'"{hashlib.sha256(version).hexdigest()[:32]}"'


@dataclass(frozen=True, slots=True)
class Presenter:
    """Makes documents; `token_key` signs the tokens of private videos."""

    urls: PublicUrls
    token_key: bytes
    now: datetime

    def video(self, row: VideoRow) -> Json:
        """Return the Video object."""
        video_id = row.public_id
        source: Json = {"uri": f"/videos/{video_id}/source", "type": "upload"}
        if row.live_stream_id is not None:
            uri = f"/live-streams/{row.live_stream_id}"
            source["type"] = "liveStream"
            source["liveStream"] = {
                "liveStreamId": row.live_stream_id,
                "links": [{"rel": "self", "uri": uri}],
            }
        document: Json = {
            "videoId": video_id,
            "title": row.title,
            "description": row.description,
            "public": row.public,
            "panoramic": row.panoramic,
            "mp4Support": row.mp4_support,
            "publishedAt": atom(row.published_at),
            "createdAt": atom(row.created_at),
            "updatedAt": atom(row.updated_at),
            "tags": row.tags,
            "metadata": row.metadata,
            "source": source,
            "assets": None if row.discarded_at is not None else self._assets(row),
        }
        if row.player_id is not None:
            document["playerId"] = row.player_id
        document["language"] = row.language
        document["languageOrigin"] = row.language_origin
        document["discarded"] = row.discarded_at is not None
        document["discardedAt"] = atom(row.discarded_at) if row.discarded_at else None
        document["deletesAt"] = atom(row.deletes_at) if row.deletes_at else None
        return document

    def folder(self, row: VideoRow) -> str:
        """Return the URL below which a video's media are; of a private one, for once."""
        media = f"{self.urls.vod}/vod/{row.public_id}"
        if row.public:
            return media
        return f"{media}/token/{tokens.issue(self.token_key, row.public_id, self.now)}"

    def _assets(self, row: VideoRow) -> Json:
        """Return the URLs; those of a private video share one fresh token."""
        video_id = row.public_id
        player = f"{self.urls.embed}/vod/{video_id}"
        media = f"{self.urls.vod}/vod/{video_id}"
        if not row.public:
            token = tokens.issue(self.token_key, video_id, self.now)
            player += f"?token={token}"
            media += f"/token/{token}"
        assets = {
            "iframe": f'<iframe src="{player}" width="100%" height="100%" frameborder="0" '
            'scrolling="no" allowfullscreen="true"></iframe>',
            "player": player,
            "hls": f"{media}/hls/manifest.m3u8",
            "thumbnail": f"{media}/thumbnail.jpg",
        }
        if row.mp4_support:
            assets["mp4"] = f"{media}/mp4/source.mp4"
        return assets


def status(found: SourceStatus) -> Json:
    """Return the VideoStatus object."""
    ingest: Json | None = None
    if found.ingest is not None:
        ingest = {
            "status": found.ingest.state,
            "filesize": found.ingest.size_bytes,
            "receivedBytes": [
                {"from": first, "to": last, "total": total}
                for first, last, total in found.ingest.received_bytes
            ],
        }
        if found.ingest.received_parts is not None:
            parts = sorted(found.ingest.received_parts)
            ingest["receivedParts"] = {"parts": parts, "total": found.ingest.total_parts}
    return {
        "ingest": ingest,
        "encoding": {
            "playable": found.playable,
            "qualities": [
                {"type": quality.type, "quality": quality.name, "status": quality.state}
                for quality in found.qualities
            ],
            "metadata": {name: found.summary.get(name) for name in _METADATA},
        },
    }
