"""Live media playlists with partial segments (RFC 8216bis, 4.4.3.7 f., 4.4.4.9, 4.4.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from telecine.formats.hls.tags import quoted, uri_line

VERSION = 9
SKIP_TARGETS = 6
"""CAN-SKIP-UNTIL: at least six target durations (4.4.3.8)."""

PARTS_TARGETS = 3
"""Older parts than three target durations are not worth naming (4.4.4.9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePart:
    """EXT-X-PART."""

    uri: str
    duration_ms: int
    independent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSegment:
    """A segment with its parts; `ended`: all of them are there."""

    uri: str
    duration_ms: int
    map_uri: str
    discontinuity: bool
    begins_at: datetime
    ended: bool
    parts: Sequence[LivePart] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """EXT-X-RENDITION-REPORT: how far another playlist of the presentation is."""

    uri: str
    last_msn: int
    last_part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePlaylist:
    """A live media playlist. `hint_uri`: the part that comes next, None once it has ended."""

    target_duration_s: int
    part_target_ms: int
    media_sequence: int
    discontinuity_sequence: int
    segments: Sequence[LiveSegment]
    hint_uri: str | None
    reports: Sequence[Report] = ()


def hold_back_ms(part_target_ms: int) -> int:
    """Return PART-HOLD-BACK: three part targets, as authors of HLS recommend (4.4.3.8)."""
    return max(3 * part_target_ms, 600)


def render_live(playlist: LivePlaylist, *, skip: bool = False) -> str:
    """Return a playlist; `skip`: without the segments that a player has by now (6.2.5.1).

    All of them are in one that has ended, whatever was asked for.
    """
    target_ms = playlist.target_duration_s * 1000
    control = (
        "CAN-BLOCK-RELOAD=YES",
        f"CAN-SKIP-UNTIL={SKIP_TARGETS * playlist.target_duration_s}.0",
        f"HOLD-BACK={3 * playlist.target_duration_s}.0",
        f"PART-HOLD-BACK={_seconds(hold_back_ms(playlist.part_target_ms))}",
    )
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{playlist.target_duration_s}",
        "#EXT-X-SERVER-CONTROL:" + ",".join(control),
        f"#EXT-X-PART-INF:PART-TARGET={_seconds(playlist.part_target_ms)}",
        f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}",
    ]
    if playlist.discontinuity_sequence:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}")
    ages = _ages(playlist.segments)
    skip = skip and playlist.hint_uri is not None
    skipped = sum(age > SKIP_TARGETS * target_ms for age in ages) if skip else 0
    map_uri = None
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
        map_uri = playlist.segments[skipped - 1].map_uri
    for segment, age in zip(playlist.segments[skipped:], ages[skipped:], strict=True):
        lines += _segment_lines(segment, map_uri, parts=age < PARTS_TARGETS * target_ms)
        map_uri = segment.map_uri
    if playlist.hint_uri is None:
        lines.append("#EXT-X-ENDLIST")
    else:
        lines.append(f"#EXT-X-PRELOAD-HINT:TYPE=PART,URI={quoted(playlist.hint_uri)}")
        lines += [
            f"#EXT-X-RENDITION-REPORT:URI={quoted(report.uri)},LAST-MSN={report.last_msn},"
            f"LAST-PART={report.last_part}"
            for report in playlist.reports
        ]
    return "\n".join(lines) + "\n"


def _ages(segments: Sequence[LiveSegment]) -> list[int]:
    """Return how far the end of each segment is from that of the playlist, in ms."""
    ages, age = [], 0
    for segment in reversed(segments):
        ages.append(age)
        age += segment.duration_ms
    return ages[::-1]


def _segment_lines(segment: LiveSegment, map_uri: str | None, *, parts: bool) -> list[str]:
    lines = []
    if segment.discontinuity:
        lines.append("#EXT-X-DISCONTINUITY")
    if segment.map_uri != map_uri:
        lines.append(f"#EXT-X-MAP:URI={quoted(segment.map_uri)}")
    time = segment.begins_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{time}")
    if parts:
        lines += [
            f"#EXT-X-PART:DURATION={_seconds(part.duration_ms)},URI={quoted(part.uri)}"
            + (",INDEPENDENT=YES" if part.independent else "")
            for part in segment.parts
        ]
    if segment.ended:
        lines += [f"#EXTINF:{_seconds(segment.duration_ms)},", uri_line(segment.uri)]
    return lines


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"
