"""What players tell with their requests for media (CMCD), passed on where media was the answer.

Requests that tell nothing are not looked at any closer.
"""

import re
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telecine import clock
from telecine.domains.analytics.reports import LIVE_STREAM, VIDEO, Kind, Sample
from telecine.domains.encodings.queries import AUDIO
from telecine.http.at_once import Client
from telecine.protocols import cmcd
from telecine.protocols.cmcd import ClientData
from telecine.protocols.errors import ProtocolError

Take = Callable[[Scope, str, str, Sample, ClientData], None]
"""Takes a request, type and id of its media, and what it tells."""

Refuse = Callable[[], None]
"""Takes notice of a request whose data cannot be read."""

_MEDIA = re.compile(
    r"/vod/(?P<video>vi[0-9A-Za-z]{1,64})(?:/token/[^/]+)?/hls/(?P<rest>.+)"
    r"|(?:/live)?(?:/private/[^/]+)?/(?P<live>li[0-9A-Za-z]{22})(?:/token/[^/]+)?(?P<tail>[._/].+)"
)
_SEGMENT = re.compile(
    r"(?P<vod>[0-9a-z-]{1,12})/(?:video-)?\d+-\d+\.(?:m4s|ts)"
    r"|_(?P<live>[0-9a-z]{1,12})/(?:[0-9a-f]{12}-\d+(?:\.\d+)?\.m4s|\d+\.ts)"
)
_MEDIA_STATUSES = (200, 206)


class ClientDataReader:
    """Passes requests on to `app`, and what they tell to `take` once they are answered."""

    def __init__(self, app: ASGIApp, take: Take, refuse: Refuse) -> None:
        self._app = app
        self._take = take
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        told = self._told(scope)
        if told is None:
            await self._app(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            await send(message)
            # Whoever was refused has not asked for anything.
            if message["type"] == "http.response.start" and message["status"] in _MEDIA_STATUSES:
                self._take(scope, *told)

        await self._app(scope, receive, watched)

    def overhear(self, client: Client, request: bytes) -> None:
        """Take what a request tells that was answered with media before it was parsed."""
        line, *lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
        path, _, query = line.split(b" ")[1].partition(b"?")
        pairs = (each.partition(b":") for each in lines)
        scope = {
            "type": "http",
            "method": "GET",
            "path": path.decode("ascii"),
            "query_string": query,
            "headers": [(name.lower(), value.strip(b" \t")) for name, _, value in pairs],
            "client": client,
        }
        told = self._told(scope)
        if told is not None:
            self._take(scope, *told)

    def _told(self, scope: Scope) -> tuple[str, str, Sample, ClientData] | None:
        """Return type and id of the media, and what is told; None if it is nothing."""
        try:
            told = cmcd.read(scope["query_string"], scope["headers"])
        except ProtocolError:
            self._refuse()
            return None
        media = None if told is None else _MEDIA.fullmatch(scope["path"])
        if told is None or media is None or scope["method"] != "GET":
            return None
        kind, media_id = (VIDEO, media["video"]) if media["video"] else (LIVE_STREAM, media["live"])
        sample = _sample(clock.unix_ms(), media["rest"] or media["tail"], told)
        return kind, media_id, sample, told


def _sample(at_ms: int, file: str, told: ClientData) -> Sample:
    """Return a request; what it is for is told by its address, whatever the player says."""
    kind, rendition = Kind.OTHER, None
    if segment := _SEGMENT.fullmatch(file):
        name = segment["vod"] or segment["live"]
        kind = Kind.AUDIO if name == AUDIO else Kind.VIDEO
        rendition = None if name == AUDIO else name.split("-", 1)[0]
    return Sample(
        at_ms,
        kind,
        rendition,
        told.buffer_ms,
        told.starved,
        told.urgent,
        told.bitrate_kbps,
        told.throughput_kbps,
        told.duration_ms,
        told.start_ms,
        told.stall_ms,
        told.follows,
        told.failed,
    )
