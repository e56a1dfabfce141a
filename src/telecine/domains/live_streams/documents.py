"""Live streams as the API shows them."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from telecine.domains.live_streams import restreams
from telecine.domains.live_streams.models import LiveStream
from telecine.domains.videos import tokens
from telecine.http.clients import Version
from telecine.http.services import PublicUrls
from telecine.http.text import atom
from telecine.sealing import Sealer

FIRST_WITH_RESTREAMS: Version = (1, 3, 0)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Presenter:
    """Makes documents; `token_key` signs the tokens of private streams."""

    urls: PublicUrls
    token_key: bytes
    sealer: Sealer
    now: datetime

    def live_stream(self, row: LiveStream, strict: Version | None) -> Json:
        """Return the LiveStream object; `strict`: of a Python client that refuses others."""
        targets = restreams.opened(self.sealer, row.public_id, row.sealed_restreams)
        document: Json = {
            "liveStreamId": row.public_id,
            "createdAt": atom(row.created_at),
            "updatedAt": atom(row.updated_at),
            "streamKey": self.sealer.open(row.sealed_key, row.public_id),
            "name": row.name,
            "public": row.public,
            "assets": self._assets(row),
            "broadcasting": row.broadcasting,
            "restreams": [_camel(asdict(target)) for target in targets],
        }
        if row.player_id is not None:
            document["playerId"] = row.player_id
        if strict is not None:
            document["record"] = row.record is not False
            if strict < FIRST_WITH_RESTREAMS:
                del document["restreams"]
        return document

    def _assets(self, row: LiveStream) -> Json:
        """Return the URLs; those of a private stream share one fresh token."""
        live_id = row.public_id
        player = f"{self.urls.embed}/live/{live_id}"
        media = f"{self.urls.live}/live"
        if not row.public:
            token = tokens.issue(self.token_key, live_id, self.now)
            player += f"?token={token}"
            media += f"/private/{token}"
        return {
            "iframe": f'<iframe src="{player}" width="100%" height="100%" frameborder="0" '
            'scrolling="no" allowfullscreen="true"></iframe>',
            "player": player,
            "hls": f"{media}/{live_id}.m3u8",
            "thumbnail": f"{media}/{live_id}/thumbnail.jpg",
        }


def _camel(target: dict[str, str]) -> Json:
    return {
        "name": target["name"],
        "serverUrl": target["server_url"],
        "streamKey": target["stream_key"],
    }
