"""What goes from the owner of an event to its edges: frames of a JSON head and bytes.

Both ends are ours, of one release or of neighbouring ones while nodes are renewed. A frame
that cannot be ends the connection.
"""

import asyncio
import json
import struct
from dataclasses import asdict
from typing import Any

from telecine.live.model import Beside, Ended, Init, Output, Part, Place, SegmentEnd, Targets
from telecine.live.window import Segment

_SIZES = struct.Struct(">II")
MAX_FRAME_BYTES = 256 << 20


class FrameError(Exception):
    """The other end does not speak our language."""


def frame(kind: str, data: bytes = b"", **told: object) -> bytes:
    """Return one frame."""
    head = json.dumps({"kind": kind, **told}).encode()
    return _SIZES.pack(len(head), len(data)) + head + data


async def read_frame(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes] | None:
    """Return the next frame, None at the end of the connection. Raises FrameError."""
    try:
        head_bytes, data_bytes = _SIZES.unpack(await reader.readexactly(_SIZES.size))
        if head_bytes + data_bytes > MAX_FRAME_BYTES:
            raise FrameError(f"a frame of {head_bytes + data_bytes} bytes")
        head = json.loads(await reader.readexactly(head_bytes))
        return head, await reader.readexactly(data_bytes)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except ValueError as error:
        raise FrameError(str(error)) from error


def pack(output: Output | Segment) -> bytes:
    """Return what a window takes, as a frame."""
    if isinstance(output, Segment):
        place = asdict(output.place) if output.place else None
        return frame(
            "segment",
            msn=output.msn,
            init=output.init,
            discontinuity=output.discontinuity,
            received_ms=output.received_ms,
            duration_ms=output.duration_ms,
            place=place,
        )
    told = asdict(output)
    data: bytes = told.pop("data", b"")
    return frame(type(output).__name__, data, **told)


def unpack(head: dict[str, Any], data: bytes) -> Output | Segment:
    """Return what `pack` was given. Raises FrameError."""
    try:
        return _unpacked(head, data)
    except (KeyError, TypeError) as error:  # of another release
        raise FrameError(f"a {head.get('kind')} of another kind: {error}") from error


def _unpacked(head: dict[str, Any], data: bytes) -> Output | Segment:
    told = {**head}
    kind = told.pop("kind")
    if kind == "segment":
        place = told.pop("place")
        return Segment(**told, ended=True, place=Place(**place) if place else None)
    if kind == "Part":
        beside = tuple(Beside(**each) for each in told.pop("beside", ()))
        return Part(**told, beside=beside, data=data)
    if kind == "Init":
        return Init(**told, data=data)
    kinds = {"SegmentEnd": SegmentEnd, "Targets": Targets, "Ended": Ended}
    if kind not in kinds:
        raise FrameError(f"a frame of the kind {kind!r}")
    made: Output = kinds[kind](**told)
    return made
