"""A file on a web server: asked for from an offset on, if the server can do that."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from telecine.domains.sources.fetching import Run
from telecine.domains.sources.handlers.feed import Sink
from telecine.formats.hls.tags import MAX_PLAYLIST_CHARS
from telecine.net.client import Limits, OutboundClient, Reply
from telecine.net.errors import Refused, Unreachable

log = structlog.get_logger()

PLAYLIST_MARK = b"#EXTM3U"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The answer to a request for a range; `total` None where the server does not know."""

    first: int
    last: int
    total: int | None


def content_range(text: str | None) -> ContentRange | None:
    """Read a Content-Range header (RFC 9110, section 14.4); None if it is none."""
    match = _CONTENT_RANGE.fullmatch((text or "").strip().lower())
    if match is None:
        return None
    total = None if match[3] == "*" else int(match[3])
    return ContentRange(int(match[1]), int(match[2]), total)


def validator_of(reply: Reply) -> str | None:
    """Return what If-Range may name: a strong ETag, else the date of the last change."""
    etag: str = reply.headers.get("etag", "").strip()
    if etag.startswith('"'):
        return etag
    modified: str = reply.headers.get("last-modified", "").strip()
    return modified or None


def playlist_text(data: bytes) -> str:
    """Return the text of a playlist without its byte order mark. Raises Refused."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("the playlist is not UTF-8") from error


class WebFile:
    """The body of a reply as a feed."""

    divisible = True

    def __init__(self, reply: Reply, *, total: int | None) -> None:
        self.reply = reply
        self.total = total
        self.validator = validator_of(reply)
        self.position = 0
        ranges = reply.status == 206 or reply.headers.get("accept-ranges", "").strip() == "bytes"
        self.resumable = ranges and self.validator is not None
        self._chunks = reply.chunks()
        self._ahead = b""

    async def is_playlist(self) -> bool:
        """Tell whether this is an HLS playlist and no media; the bytes stay to be read."""
        while len(self._ahead) < len(PLAYLIST_MARK) + len(_BYTE_ORDER_MARK):
            data = await anext(self._chunks, b"")
            if not data:
                break
            self._ahead += data
        return self._ahead.removeprefix(_BYTE_ORDER_MARK).startswith(PLAYLIST_MARK)

    async def text(self) -> str:
        """Return the whole body as the text of a playlist. Raises Refused."""
        data = bytearray(self._ahead)
        async for chunk in self._chunks:
            data += chunk
            if len(data) > MAX_PLAYLIST_CHARS:
                raise Refused("the playlist is larger than 16 MiB")
        return playlist_text(bytes(data))

    async def fill(self, sink: Sink, room_bytes: int) -> bool:
        """Write `room_bytes` or less, if these were the last."""
        while True:
            data = self._ahead or await anext(self._chunks, b"")
            self._ahead = b""
            if not data:
                return True
            if room_bytes == 0:  # so there is more
                self._ahead = data
                return False
            view = memoryview(data)
            self._ahead = bytes(view[room_bytes:])
            room_bytes -= min(room_bytes, len(view))
            await sink.write(view[: len(view) - len(self._ahead)])


@asynccontextmanager
async def opened(
    client: OutboundClient, run: Run, limits: Limits
) -> AsyncIterator[tuple[WebFile, int]]:
    """Ask for what is missing of a file; yield it and the offset that it begins at.

    Offset 0 where the server cannot continue, or has another version by now.

    Raises:
        OutboundError: the server has no such file for us.
    """
    headers: dict[str, str] = {}
    if run.offset:
        headers["range"] = f"bytes={run.offset}-"
        if run.validator is not None:
            headers["if-range"] = run.validator
    async with client.stream("GET", run.origin_url, limits=limits, headers=headers) as reply:
        if reply.status == 200:
            length = reply.headers.get("content-length", "")
            yield WebFile(reply, total=int(length) if length.isdecimal() else None), 0
            return
        if reply.status == 206 and run.offset:
            given = content_range(reply.headers.get("content-range"))
            if given is not None and _continues(run, reply, given):
                yield WebFile(reply, total=given.total or run.total), run.offset
                return
        elif reply.status != 416 or not run.offset:
            msg = f"{reply.url.host}: answered {reply.status}"
            raise Unreachable(msg)
    log.info("source changed, download starts again", url=reply.url.host)
    async with client.stream("GET", run.origin_url, limits=limits) as reply:
        if reply.status != 200:
            msg = f"{reply.url.host}: answered {reply.status}"
            raise Unreachable(msg)
        length = reply.headers.get("content-length", "")
        yield WebFile(reply, total=int(length) if length.isdecimal() else None), 0


def _continues(run: Run, reply: Reply, given: ContentRange) -> bool:
    """Tell whether a range continues the bytes that are stored.

    Where the server names no version, the same size has to do: the other way is never
    to finish a large file over a bad line.
    """
    if given.first != run.offset or run.total not in {None, given.total}:
        return False
    if run.validator is not None:
        return validator_of(reply) in {None, run.validator}
    return run.total is not None
