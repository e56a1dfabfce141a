"""The columns of a playback that pings change: from a row, and to the next one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Protocol
from uuid import UUID

from telecine.domains.analytics import folding
from telecine.domains.analytics.folding import Folded
from telecine.domains.analytics.reports import Quality, Report
from telecine.domains.analytics.requests import Heard
from telecine.domains.analytics.store.rollups import VIEWS_S
from telecine.domains.analytics.timeline import Span, joined, watched_ms

_TIMES = ("loaded", "last", "impression", "started", "ended")
_PLAIN = {
    "load_ms": "int",
    "position_s": "float8",
    "event_count": "int",
    "spans": "jsonb",
    "watched_ms": "bigint",
    "startup_ms": "int",
    "stall_count": "int",
    "stall_ms": "bigint",
    "switch_count": "int",
    "error_count": "int",
    "bitrate_kbps": "int",
    "throughput_kbps": "int",
    "rendition": "text",
    "heard": "jsonb",
}

CHANGING = {
    **{f"{name}_at": f"to_timestamp(r.{name}_ms / 1000.0)" for name in _TIMES},
    **{name: f"r.{name}" for name in _PLAIN},
    "watched": "CAST(r.watched AS tstzmultirange)",
}
"""What a ping changes, and how it is made of a record `r` of RECORD."""

RECORD = ", ".join(
    [
        *(f"{name}_ms bigint" for name in _TIMES),
        *(f"{name} {kind}" for name, kind in _PLAIN.items()),
        "watched text",
    ]
)


def views(watched: int) -> int:
    """Return how many of the lengths of a view a time in milliseconds has."""
    return sum(watched >= each * 1000 for each in VIEWS_S)


class Told(Protocol):
    """What has a report."""

    @property
    def report(self) -> Report:
        """The report."""


@dataclass(slots=True)
class Changed:
    """A playback after some pings."""

    id: UUID
    opened_ms: int
    folded: Folded
    before: folding.Playback | None = None

    def from_ms(self) -> int:
        """Return the earliest time by our clock of which something is told anew."""
        after, before = self.folded.playback, self.before
        if before is None:
            return after.loaded_ms + after.skew_ms
        moments = [
            moment
            for old, new in (
                (before.loaded_ms, after.loaded_ms),
                (before.impression_ms, after.impression_ms),
                (before.started_ms, after.started_ms),
                (before.ended_ms, after.ended_ms),
            )
            if old != new
            for moment in (old, new)
            if moment is not None
        ]
        if before.load_ms != after.load_ms:
            moments.append(after.loaded_ms)
        known = joined(before.spans, self.folded.link_ms)
        now = joined(after.spans, self.folded.link_ms)
        if views(watched_ms(known)) != views(watched_ms(now)):
            moments.append(now[0].start_ms if now else after.loaded_ms)
        for old, new in zip_longest(known, now):
            if old != new:
                moments += [each.start_ms for each in (old, new) if each is not None]
                if old is not None and new is not None and old.start_ms == new.start_ms:
                    # The same stretch, only longer: it changes from where it ended.
                    moments[-2:] = [min(old.end_ms, new.end_ms)]
                break
        return min(moments, default=after.last_ms) + after.skew_ms

    def columns(self) -> dict[str, Any]:
        """Return the columns of RECORD, as JSON."""
        playback, quality = self.folded.playback, self.folded.playback.quality
        skew_ms = playback.skew_ms

        def our_ms(client_ms: int | None) -> int | None:
            return None if client_ms is None else client_ms + skew_ms

        return {
            "loaded_ms": our_ms(playback.loaded_ms),
            "last_ms": our_ms(playback.last_ms),
            "impression_ms": our_ms(playback.impression_ms),
            "started_ms": our_ms(playback.started_ms),
            "ended_ms": our_ms(playback.ended_ms),
            "load_ms": playback.load_ms,
            "position_s": playback.position_s,
            "event_count": playback.event_count,
            "spans": [
                (start_ms, end_ms, int(begins), int(ends))
                for start_ms, end_ms, begins, ends in playback.spans
            ],
            "watched_ms": self.folded.watched_ms,
            "watched": multirange(self.folded.watched),
            "heard": None if playback.heard is None else playback.heard.as_json(),
            **quality._asdict(),
        }


class Row:
    """A playback as it is stored."""

    def __init__(self, row: Any) -> None:  # noqa: ANN401  (a row of these columns)
        self._row = row

    def after(self, told: Sequence[Told]) -> Changed:
        """Return the playback after some pings."""
        row = self._row
        before = _playback(row)
        folded = folding.fold(before, [each.report for each in told])
        return Changed(row.id, round(row.opened_at.timestamp() * 1000), folded, before)


def _playback(row: Any) -> folding.Playback:  # noqa: ANN401  (a row of these columns)
    def client_ms(moment: datetime | None) -> int | None:
        return None if moment is None else round(moment.timestamp() * 1000) - row.skew_ms

    return folding.Playback(
        skew_ms=row.skew_ms,
        loaded_ms=client_ms(row.loaded_at) or 0,
        last_ms=client_ms(row.last_at) or 0,
        impression_ms=client_ms(row.impression_at),
        started_ms=client_ms(row.started_at),
        ended_ms=client_ms(row.ended_at),
        load_ms=row.load_ms,
        position_s=row.position_s,
        event_count=row.event_count,
        spans=tuple(Span(start, end, bool(b), bool(e)) for start, end, b, e in row.spans),
        quality=Quality(
            row.startup_ms,
            row.stall_count,
            row.stall_ms,
            row.switch_count,
            row.error_count,
            row.bitrate_kbps,
            row.throughput_kbps,
            row.rendition,
        ),
        heard=None if row.heard is None else Heard.of_json(row.heard),
    )


def multirange(spans: Iterable[Span]) -> str:
    """Return spans as PostgreSQL reads them; one that was not ended has its end inside."""
    ranges = [
        f'["{_time(start_ms)}","{_time(end_ms)}"{")" if ends else "]"}'
        for start_ms, end_ms, _, ends in spans
    ]
    return "{" + ",".join(ranges) + "}"


def _time(ms: int) -> str:
    return f"{_second(ms // 1000)}.{ms % 1000:03}+00:00"


@lru_cache(maxsize=4096)
def _second(s: int) -> str:
    """Return a time as text; many playbacks tell of the same seconds."""
    return datetime.fromtimestamp(s, UTC).isoformat()[:19]
