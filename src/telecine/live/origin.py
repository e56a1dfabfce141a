"""The door of the process that owns events, for the edges on this machine and on others.

An edge asks with one frame: to follow a stream, which gives its window and then all that
is added; for a segment that nobody holds in memory any more; or how an event is doing.
"""

import asyncio
import contextlib
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from telecine.live.broadcast import Broadcast
from telecine.live.forwarding import InUse, Visitor
from telecine.live.frames import FrameError, frame, pack, read_frame
from telecine.live.model import SOURCE, Ended, Output, SegmentEnd
from telecine.live.nodes import HELLO_S, Door
from telecine.live.rendition import Rendition
from telecine.live.studio import Studio
from telecine.live.thumbnail import Thumbnails
from telecine.live.window import Window
from telecine.storage.store import StoreError

log = structlog.get_logger()

BACKLOG_BYTES = 64 << 20
"""An edge that has not read so much is cut off; it comes back and begins anew."""


class Origin:
    """Serves edges on a Unix socket at `path`; those of other machines by `serve_others`."""

    def __init__(self, studio: Studio, path: Path, thumbnails: Thumbnails | None = None) -> None:
        self._studio = studio
        self._thumbnails = thumbnails
        self._path = path

    async def serve(self) -> asyncio.Server:
        """Begin to listen; a socket that a killed process left is replaced."""
        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._connected, self._path)
        self._path.chmod(0o600)
        return server

    async def serve_others(self, listener: socket.socket, door: Door) -> asyncio.Server:
        """Begin to serve edges of other machines."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if await door.admits(reader, writer):
                await self._connected(reader, writer)
            else:
                writer.close()

        return await asyncio.start_server(
            connected, sock=listener, ssl=door.context, ssl_handshake_timeout=HELLO_S
        )

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await read_frame(reader)
            if asked is not None:
                await self._answer(asked[0], reader, writer)
        except FrameError as error:
            log.warning("edge refused", reason=str(error))
        except ConnectionError:
            pass  # the edge is gone
        finally:
            writer.close()

    async def _answer(
        self, head: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        event = self._studio.event(str(head.get("stream")))
        if head["kind"] == "publish":
            await self._publish(event, Visitor(writer, head["told"]), reader, writer)
            return
        if head["kind"] == "status":
            writer.write(frame("status", **_status(event)))
            await writer.drain()
            return
        if head["kind"] == "qualities":
            writer.write(frame("qualities", found=[] if event is None else event.qualities()))
            await writer.drain()
            return
        if head["kind"] == "picture":
            writer.write(await self._picture(event))
            await writer.drain()
            return
        found = None
        if event is not None:
            found = event.renditions.get(str(head.get("rendition") or SOURCE))
        if event is None or found is None or not found.window.playable:
            writer.write(frame("none"))
        elif head["kind"] == "read":
            writer.write(await self._old_segment(event, found.window, head))
        elif event.over.is_set() and head.get("known") == event.session:
            writer.write(frame("same"))
        else:
            await _follow(event, found, reader, writer)
        await writer.drain()

    async def _publish(
        self,
        event: Broadcast | None,
        visitor: Visitor,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Let an encoder publish that came to another node."""
        if event is None or event.over.is_set():
            goes_on = event is not None and event.suspended  # in the next process
            writer.write(frame("refused" if goes_on else "none"))
            return
        try:
            self._studio.attach(event, visitor)
        except InUse:
            writer.write(frame("refused"))
            return
        log.info("publishes through another node", stream=event.stream.public_id)
        writer.write(frame("accepted"))
        try:
            await visitor.publish(event, reader)
        finally:
            self._studio.gone(event, visitor)

    async def _picture(self, event: Broadcast | None) -> bytes:
        if self._thumbnails is None or event is None or event.over.is_set():
            return frame("none")
        jpeg = await self._thumbnails.newest(event)
        return frame("none") if jpeg is None else frame("data", jpeg)

    async def _old_segment(self, event: Broadcast, window: Window, head: dict[str, Any]) -> bytes:
        segment = window.segment(int(head["msn"]))
        if segment is None or head["session"] != event.session:
            return frame("none")
        data = segment.data
        if data is None and segment.place is not None:
            try:
                data = await event.read(segment.place)
            except StoreError as error:
                log.warning("segment lost", stream=event.stream.public_id, reason=str(error))
        return frame("none") if data is None else frame("data", data)


def _status(event: Broadcast | None) -> dict[str, Any]:
    if event is None or event.over.is_set():
        return {"on_air": False}
    return {"on_air": True, "restreams": event.restreams.told(), "health": event.told()}


async def _follow(
    event: Broadcast,
    rendition: Rendition,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    over, window = asyncio.Event(), rendition.window

    def sink(output: Output) -> None:
        if isinstance(output, SegmentEnd):
            # What nobody records is soon gone, of which a mirror knows nothing by itself.
            output = replace(output, first=window.segments[0].msn)
        writer.write(pack(output))
        if isinstance(output, Ended):
            over.set()
        elif writer.transport.get_write_buffer_size() > BACKLOG_BYTES:
            log.warning("edge cut off", stream=event.stream.public_id)
            writer.transport.abort()
            over.set()

    held = list(window.snapshot())
    writer.write(
        frame(
            "event",
            session=event.session,
            length_ms=window.length_ms,
            discontinuities_gone=window.discontinuities_gone,
            peak_bps=window.peak_bps,
            held=len(held),
        )
    )
    for output in held:
        writer.write(pack(output))
    if window.ended:
        return
    rendition.add(sink)
    leaving = asyncio.ensure_future(reader.read())
    ending = asyncio.ensure_future(over.wait())
    going = asyncio.ensure_future(rendition.gone.wait())
    try:
        await asyncio.wait({leaving, ending, going}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        rendition.remove(sink)
        for each in (leaving, ending, going):
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await each
