"""Playlists of live streams, rendered once for all viewers of a version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from telecine.delivery import packing
from telecine.formats.hls.lowlatency import (
    PARTS_TARGETS,
    LivePart,
    LivePlaylist,
    LiveSegment,
    Report,
    render_live,
)
from telecine.formats.hls.playlist import Master, Variant, render_master
from telecine.live.model import SOURCE, Beside
from telecine.live.window import Segment, Window

PLAYLIST_NAME = "index.m3u8"
_AUDIO_BPS = 64_000


def folder(public_id: str, rendition: str) -> str:
    """Return the folder of a rendition: it hangs on the root of all live streams."""
    return f"{public_id}_{rendition}"


def master(public_id: str, window: Window, lower: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the multivariant playlist of an event: the source first, then what is `lower`.

    Each of those has `name`, `peak_bps`, `codecs`, `width_px` and `height_px`.
    """
    newest = window.inits[window.segments[-1].init]
    source = {
        "name": SOURCE,
        "peak_bps": window.peak_bps,
        "codecs": newest.codecs,
        "width_px": newest.width_px,
        "height_px": newest.height_px,
    }
    variants = [
        Variant(
            uri=f"{folder(public_id, each['name'])}/{PLAYLIST_NAME}",
            bandwidth_bps=max(each["peak_bps"], _AUDIO_BPS) * 11 // 10,
            codecs=each["codecs"],
            width_px=each["width_px"],
            height_px=each["height_px"],
            frame_rate=None,
        )
        for each in (source, *lower)
    ]
    # Segments are cut without a key frame where none comes for ten seconds.
    return render_master(Master(renditions=variants, independent=False))


class LivePlaylists:
    """Renders what viewers of all streams ask for.

    A playlist depends on its window alone, which the owner tells every process of: so it has
    the same bytes and the same validator everywhere.
    """

    def __init__(self) -> None:
        self._rendered: WeakKeyDictionary[Window, Rendered] = WeakKeyDictionary()

    def body(self, public_id: str, window: Window, *, skip: bool, coding: str | None) -> bytes:
        """Return the playlist of a window as it is now, in a content coding."""
        rendered = self._rendered.setdefault(window, Rendered())
        return rendered.body(window, skip=skip, coding=coding, public_id=public_id)


@dataclass(slots=True)
class Rendered:
    """The playlists of one window: plain and compressed, whole and delta."""

    version: int = -1
    bodies: dict[tuple[bool, str | None], bytes] = field(default_factory=dict)
    finished: dict[int, LiveSegment] = field(default_factory=dict)

    def body(self, window: Window, *, skip: bool, coding: str | None, public_id: str) -> bytes:
        """Return a playlist of the window as it is now."""
        if self.version != window.version:
            self.version = window.version
            self.bodies.clear()
        found = self.bodies.get((skip, coding))
        if found is None:
            if coding is not None:
                # The level that costs least: a part is a fifth of a second old already.
                plain = self.body(window, skip=skip, coding=None, public_id=public_id)
                found = packing.pack(plain, coding)
            else:
                found = render_live(self._playlist(window, public_id), skip=skip).encode()
            self.bodies[skip, coding] = found
        return found

    def _playlist(self, window: Window, public_id: str) -> LivePlaylist:
        targets = window.targets
        assert targets is not None  # noqa: S101 - a playable window has them
        with_parts_ms = (PARTS_TARGETS + 1) * targets.segment_s * 1000
        segments, age_ms = [], 0
        for segment in reversed(window.segments):
            old = age_ms > with_parts_ms
            segments.append(self._segment(window, segment, parts=not old))
            age_ms += segment.duration_ms
        first = window.segments[0].msn
        for msn in [msn for msn in self.finished if msn < first]:
            del self.finished[msn]
        msn, part = window.edge
        return LivePlaylist(
            target_duration_s=targets.segment_s,
            part_target_ms=targets.part_ms,
            media_sequence=first,
            discontinuity_sequence=window.discontinuities_gone,
            segments=segments[::-1],
            reports=[_report(public_id, other) for other in window.beside],
            hint_uri=None if window.ended else f"{window.session}-{msn}.{part}.m4s",
        )

    def _segment(self, window: Window, segment: Segment, *, parts: bool) -> LiveSegment:
        if not parts and (found := self.finished.get(segment.msn)) is not None:
            return found
        name = f"{window.session}-{segment.msn}"
        made = LiveSegment(
            uri=f"{name}.m4s",
            duration_ms=segment.duration_ms,
            map_uri=f"{window.session}-init-{segment.init}.mp4",
            discontinuity=segment.discontinuity,
            begins_at=datetime.fromtimestamp(segment.received_ms / 1000, UTC),
            ended=segment.ended,
            parts=[
                LivePart(
                    uri=f"{name}.{part.number}.m4s",
                    duration_ms=part.duration_ms,
                    independent=part.independent,
                )
                for part in segment.parts
            ]
            if parts
            else (),
        )
        if not parts:
            self.finished[segment.msn] = made
        return made


def _report(public_id: str, other: Beside) -> Report:
    uri = f"../{folder(public_id, other.name)}/{PLAYLIST_NAME}"
    return Report(uri=uri, last_msn=other.msn, last_part=other.part)
