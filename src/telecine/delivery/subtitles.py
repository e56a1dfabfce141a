"""Bodies of captions and chapters: as they were uploaded, and as players of HLS want them."""

from telecine.delivery.parts import Part, StoredRange
from telecine.delivery.texts import TextView
from telecine.formats import webvtt
from telecine.storage.store import Store

MEDIA_TYPE = b"text/vtt"

TRANSPORT_START_TICKS = 900_000
"""Where the time of the MPEG-TS view begins (10 s); that of CMAF begins at 0."""


def whole(track: TextView) -> list[Part]:
    """Return a file as it was uploaded."""
    return [StoredRange(track.key, 0, track.size_bytes)]


async def segment(store: Store, track: TextView, *, transport: bool) -> list[Part]:
    """Return the one segment of captions in HLS: the file, and where its time begins."""
    header = await store.read(track.key, 0, track.header_bytes)
    start_ticks = TRANSPORT_START_TICKS if transport else 0
    rest = StoredRange(track.key, track.header_bytes, track.size_bytes - track.header_bytes)
    head = webvtt.with_timestamp_map(header, start_ticks)
    return [head, rest] if rest.size else [head]
