"""The segments of a finished HLS playlist, back to back, as one file."""

from collections.abc import Sequence
from dataclasses import replace

from telecine import ids
from telecine.domains.sources.handlers.feed import Sink
from telecine.domains.sources.handlers.web_file import content_range, playlist_text
from telecine.formats.errors import FormatError
from telecine.formats.hls.tags import MAX_PLAYLIST_CHARS
from telecine.formats.hls.whole import Stretch, best_variant, stretches
from telecine.net.client import Limits, OutboundClient
from telecine.net.errors import Refused, Unreachable
from telecine.net.urls import Url, joined


class WebPlaylist:
    """The segments of a media playlist as a feed; it begins after `position` of them."""

    divisible = False  # a segment is stored whole
    resumable = True

    def __init__(
        self,
        client: OutboundClient,
        limits: Limits,
        base: Url,
        parts: Sequence[Stretch],
        position: int,
    ) -> None:
        self.total: int | None = None
        self.position = position
        self.validator: str | None = ids.digest("\n".join(map(_identity, parts))).hex()
        self._client = client
        self._limits = limits
        self._base = base
        self._parts = parts

    async def fill(self, sink: Sink, room_bytes: int) -> bool:
        """Write whole segments, `room_bytes` or a little more."""
        written = 0
        while self.position < len(self._parts) and written < room_bytes:
            written += await self._segment(self._parts[self.position], sink)
            self.position += 1
        return self.position == len(self._parts)

    async def _segment(self, part: Stretch, sink: Sink) -> int:
        url = joined(self._base, part.uri)
        headers: dict[str, str] = {}
        if part.size_bytes is not None:
            last = part.offset + part.size_bytes - 1
            headers["range"] = f"bytes={part.offset}-{last}"
        written = 0
        async with self._client.stream(
            "GET", str(url), limits=self._limits, headers=headers
        ) as reply:
            wanted = 200 if part.size_bytes is None else 206
            if reply.status != wanted:
                msg = f"{reply.url.host}: answered {reply.status} for a segment"
                raise Unreachable(msg)
            if part.size_bytes is not None:
                given = content_range(reply.headers.get("content-range"))
                if given is None or given.first != part.offset:
                    msg = f"{reply.url.host}: gave another range than was asked for"
                    raise Unreachable(msg)
            async for data in reply.chunks():
                written += len(data)
                await sink.write(data)
        if part.size_bytes not in {None, written}:
            msg = f"{reply.url.host}: a segment ended early"
            raise Unreachable(msg)
        return written


def _identity(part: Stretch) -> str:
    """Name a segment without its query, which may be a signature of the day."""
    return f"{part.uri.partition('?')[0]} {part.offset} {part.size_bytes}"


async def plan(
    client: OutboundClient, limits: Limits, url: Url, text: str
) -> tuple[Url, Sequence[Stretch]]:
    """Return the best media playlist's URL and segments; `text` is what `url` gave.

    Raises:
        Refused: it cannot become one file; the message says why.
        OutboundError: the variant's playlist cannot be had.
    """
    try:
        variant = best_variant(text)
        if variant is not None:
            url, text = await _playlist(client, limits, joined(url, variant))
        return url, stretches(text)
    except FormatError as error:
        raise Refused(str(error)) from error


async def _playlist(client: OutboundClient, limits: Limits, url: Url) -> tuple[Url, str]:
    bounded = replace(limits, body_bytes=MAX_PLAYLIST_CHARS)
    async with client.stream("GET", str(url), limits=bounded) as reply:
        if reply.status != 200:
            msg = f"{reply.url.host}: answered {reply.status} for a playlist"
            raise Unreachable(msg)
        return reply.url, playlist_text(await reply.read())
