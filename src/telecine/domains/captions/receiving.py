"""A text track on its way in: received, judged, stored, recorded."""

from typing import TypeVar
from uuid import UUID

import anyio
from anyio import to_thread
from fastapi import Request

from telecine import ids
from telecine.domains.captions import operations
from telecine.domains.captions.models import TextTrack
from telecine.domains.captions.operations import Stored
from telecine.domains.videos import operations as videos
from telecine.domains.videos.queries import VideoRow
from telecine.formats import webvtt
from telecine.formats.errors import FormatError
from telecine.formats.webvtt import WebVtt
from telecine.http.multipart import Memory, invalid_file, receive_file
from telecine.http.services import Services
from telecine.problems import Problem

MAX_BYTES = 5 * 1024 * 1024
"""The captions of a day; whatever is larger was not written for people."""

DESCRIPTION = "A WebVTT or SubRip file of at most 5 MiB."

T = TypeVar("T", bound=TextTrack)

# Reading the largest file takes a second: one at a time, beside the event loop.
_reading = anyio.CapacityLimiter(1)


async def receive(
    request: Request,
    services: Services,
    kind: type[T],
    project_id: UUID,
    video_id: str,
    language: str,
) -> tuple[VideoRow, T]:
    """Store the file of a request as the track of a video. Raises Problem 400, 404."""
    async with services.db.transaction() as tx:
        await videos.found(tx, project_id, video_id)
    operations.check_language(language)
    received = Memory()
    await receive_file(request, received, max_bytes=MAX_BYTES)
    data, header_bytes = await to_thread.run_sync(judged, bytes(received.data), limiter=_reading)
    key = new_key(project_id, video_id)
    await services.store.put(key, data)
    stored = Stored(key, len(data), header_bytes)
    try:
        async with services.db.transaction() as tx:
            video, row, replaced = await operations.put(
                tx, kind, project_id, video_id, language, stored
            )
    except Problem:  # deleted meanwhile
        await services.store.delete([key])
        raise
    if replaced is not None:
        await services.store.delete([replaced])
    return video, row


def judged(data: bytes) -> tuple[bytes, int]:
    """Return a file as WebVTT, unchanged if it is that already, and its first line's length.

    Raises:
        Problem: 400, it is neither WebVTT nor SubRip.
    """
    try:
        data, track = understood(data)
    except FormatError as error:
        raise invalid_file(f"The file is neither WebVTT nor SubRip. {error}") from None
    return data, track.header_bytes


def understood(data: bytes) -> tuple[bytes, WebVtt]:
    """Return a file as WebVTT, and what is in it. Raises FormatError."""
    if not webvtt.is_webvtt(data) and webvtt.is_subrip(data):
        data = webvtt.from_subrip(data)
    return data, webvtt.parse(data)


def new_key(project_id: UUID, video_id: str) -> str:
    """Return a key for the file of a track that no other one has."""
    return f"{project_id}/{video_id}/text/{ids.nonce()}.vtt"
