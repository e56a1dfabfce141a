"""Numbers about playbacks, from rollups where there are some, else from the playbacks.

The middle of the time that is asked for is answered by rollups, the stretches before and
behind it by playbacks. What counts somebody once for the whole time must not count them in
two of the three.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from telecine.db.engine import Transaction
from telecine.domains.analytics.questions import INTERVALS, QUALITY, Question
from telecine.domains.analytics.store import pairs, peaks, quality, quality_rollups
from telecine.domains.analytics.store.cells import Cells, cells_of
from telecine.domains.analytics.store.measures import EPOCH, Measure
from telecine.domains.analytics.store.rollups import DIMENSIONS, SIZES
from telecine.http.pagination import Page

_SUMS = {
    "play": "sum(plays)::float8 AS v",
    "start": "sum(plays)::float8 AS v",
    "end": "sum(ends)::float8 AS v",
    "impression": "sum(impressions)::float8 AS v",
    "play-rate-parts": "sum(plays)::float8 AS a, sum(impressions)::float8 AS b",
    "impression-time-parts": "sum(load_ms)::float8 AS a, sum(loads)::float8 AS b",
    "ccv-peak": "max(peak)::float8 AS v",
}
_RATE = "sum(a) / nullif(sum(b), 0)"
_QUOTIENTS = {
    "play-rate": ("play-rate-parts", "coalesce(sum(a) / nullif(sum(b), 0), 0)"),
    "impression-time-average": ("impression-time-parts", _RATE),
    "impression-time-sum": ("impression-time-parts", "sum(a)"),
    "watch-time-average": ("watch-time-parts", _RATE),
    "watch-time-sum": ("watch-time-parts", "sum(a)"),
}
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
# Compiling one of these takes longer than running it; and they sort what they read.
_SETTINGS = (text("SET LOCAL jit = off"), text("SET LOCAL work_mem = '64MB'"))
_ROLLED = text(
    """
    SELECT start_at FROM play_rolled
     WHERE daily = :daily AND start_at >= :begin AND start_at <= :until ORDER BY start_at
    """
)
_PARAMETER = re.compile(r"(?<!:):([A-Za-z]\w*)")


class Figures:
    """The numbers that are asked for: one, or one for each value or interval."""

    def __init__(
        self,
        project_id: UUID,
        question: Question,
        now: datetime,
        dimension: str = "",
        *,
        series: bool = False,
    ) -> None:
        self._project_id = project_id
        self._question = question
        self._until = max(question.begin, min(question.end, now))
        self._dimension = dimension
        self._series = series
        self._values: dict[str, Any] = {}
        self._pieces = 0

    async def number(self, tx: Transaction, metric: str) -> float:
        """Return the one number that is asked for, 0 if there is nothing."""
        statement = await self._statement(tx, metric)
        found = (await tx.execute(text(statement), self._bound(statement))).first()
        return float(found[1] or 0) if found else 0.0

    async def page(
        self, tx: Transaction, metric: str, wanted: Page
    ) -> tuple[int, Sequence[tuple[Any, float]]]:
        """Return how many values or intervals have a number, and those of a page."""
        own, other = ("v", "g") if self._question.by_value else ("g", "v")
        if not self._series:
            own, other = (each.replace("g", 'g COLLATE "C"') for each in (own, other))
        order = f"{own} {'DESC' if self._question.descending else 'ASC'}, {other}"
        statement = f"""
            WITH q AS MATERIALIZED ({await self._statement(tx, metric)})
            SELECT (SELECT count(*) FROM q), listed.g, listed.v
              FROM (SELECT 1) AS one
              LEFT JOIN LATERAL (SELECT g, v FROM q ORDER BY {order}
                                 OFFSET :offset LIMIT :limit) AS listed ON true
        """  # noqa: S608  (no values inside)
        of_page = {"offset": wanted.bounded_offset, "limit": wanted.size}
        rows = (await tx.execute(text(statement), self._bound(statement) | of_page)).all()
        return rows[0][0], [(group, number) for _, group, number in rows if number is not None]

    def _bound(self, statement: str) -> dict[str, Any]:
        named = set(_PARAMETER.findall(statement))
        return {name: value for name, value in self._values.items() if name in named}

    async def _statement(self, tx: Transaction, metric: str) -> str:
        for setting in _SETTINGS:
            await tx.execute(setting)
        if metric in QUALITY:
            return await self._quality(tx, metric)
        parts, result = _QUOTIENTS.get(metric, (metric, "sum(v)"))
        if metric == "ccv-average":
            result = f"sum(v) / {self._length_s()}"
        cells = cells_of(self._question, self._dimension, metric)
        middle = await self._middle(tx, cells, metric) if cells and metric != "ccv-live" else None
        if cells is None or middle is None or metric == "play-total":
            whole = self._piece(parts, self._question.begin, self._question.end)
            return f"SELECT g, {result} AS v FROM ({whole}) AS whole GROUP BY 1"  # noqa: S608
        self._roll(cells, middle)
        once = parts == "view" and not self._series
        pieces = [*self._rolled(parts, cells)]
        if once:
            pieces.append(self._edges("view", middle))
        else:
            pieces += [self._weighed(parts, begin, end) for begin, end in self._outside(middle)]
        if parts == "watch-time-parts":
            pieces.append(self._edges("watched", middle))
        if metric == "ccv-peak":
            result = "max(v)"
        united = " UNION ALL ".join(f"({each})" for each in pieces)
        # Rollups of a value have zeros for what it has none of.
        some = "sum(a) > 0 OR sum(b) > 0" if metric in _QUOTIENTS else "sum(v) > 0"
        return (
            f"SELECT g, {result} AS v FROM ({united}) AS united"  # noqa: S608
            f" GROUP BY 1 HAVING {some}"
        )

    async def _quality(self, tx: Transaction, metric: str) -> str:
        """Return the statement of a metric of the quality: see `quality_rollups`."""
        begin, end = self._question.begin, self._question.end
        cells = cells_of(self._question, self._dimension, metric)
        middle = None if cells is None else self._whole(cells)
        until = None if middle is None else await quality_rollups.summed_until(tx)
        if cells is None or middle is None or until is None:
            pieces = [self._piece(metric, begin, end)]
        else:
            by_time = "mediaId" not in self._question.filters
            self._roll(cells, middle)
            group, rows = self._rows(cells)
            sums = quality.parts(metric, rolled=True)
            pieces = [f"SELECT {group} AS g, {sums} FROM play_quality WHERE {rows} GROUP BY 1"]  # noqa: S608
            edges = self._outside(middle)
            pieces += [self._piece(metric, *edge, by_time=by_time) for edge in edges]
            pieces.append(self._piece(metric, *middle, closed_since=until))
        pieces.append(self._piece(metric, begin, end, is_open=True))
        united = " UNION ALL ".join(f"({each})" for each in pieces)
        return f"SELECT g, {_RATE} AS v FROM ({united}) AS united GROUP BY 1 HAVING sum(b) > 0"  # noqa: S608

    def _whole(self, cells: Cells) -> tuple[datetime, datetime] | None:
        """Return the hours or days that are within the question as a whole."""
        size = SIZES[cells.daily]
        if self._series and INTERVALS[self._question.interval] < size:
            return None
        begin = self._question.begin + (_FIRST - self._question.begin) % size
        end = self._question.end - (self._question.end - _FIRST) % size
        return (begin, end) if begin < end else None

    def _roll(self, cells: Cells, middle: tuple[datetime, datetime]) -> None:
        """Set what the parts of a statement about rollups refer to."""
        self._values |= {
            "rolled_project": self._project_id,
            "rolled_dimension": cells.number,
            **cells.values,
            "rolled_begin": middle[0],
            "rolled_end": middle[1],
            "rolled_step": INTERVALS[self._question.interval],
        }

    def _rows(self, cells: Cells, dimension: str = ":rolled_dimension") -> tuple[str, str]:
        """Return what rollups are grouped by, and which of them."""
        group = f"date_bin(:rolled_step, start_at, {EPOCH})" if self._series else cells.group
        conditions = (
            f"project_id = :rolled_project AND dimension = {dimension}",
            "start_at >= :rolled_begin AND start_at < :rolled_end",
            *cells.conditions,
        )
        return group, " AND ".join(conditions)

    def _length_s(self) -> str:
        """Return the seconds of the time, or of an interval as far as it is within it."""
        begin, end = ":whole_begin", ":whole_until"
        whole_until = max(self._until, self._question.begin + timedelta(milliseconds=1))
        self._values |= {"whole_begin": self._question.begin, "whole_until": whole_until}
        if self._series:
            self._values["whole_step"] = INTERVALS[self._question.interval]
            begin, end = f"greatest(g, {begin})", f"least(g + :whole_step, {end})"
        return f"extract(epoch FROM CAST({end} AS timestamptz) - CAST({begin} AS timestamptz))"

    async def _middle(
        self, tx: Transaction, cells: Cells, metric: str
    ) -> tuple[datetime, datetime] | None:
        """Return the longest time within the question for which there are rollups."""
        size = SIZES[cells.daily]
        align = size
        if self._series:
            interval = INTERVALS[self._question.interval]
            if interval < size:
                return None
            if metric == "view":  # nobody may count twice within an interval
                align = interval
        values = {
            "daily": cells.daily,
            "begin": self._question.begin,
            "until": self._until - size,
        }
        longest: tuple[datetime, datetime] | None = None
        run: tuple[datetime, datetime] | None = None
        for start in await tx.scalars(_ROLLED, values):
            run = (run[0] if run and run[1] == start else start, start + size)
            if longest is None or run[1] - run[0] > longest[1] - longest[0]:
                longest = run
        if longest is None:
            return None
        begin = longest[0] + (_FIRST - longest[0]) % align
        end = longest[1] - (longest[1] - _FIRST) % align
        return (begin, end) if begin < end else None

    def _outside(self, middle: tuple[datetime, datetime]) -> list[tuple[datetime, datetime]]:
        around = ((self._question.begin, middle[0]), (middle[1], self._question.end))
        return [(begin, end) for begin, end in around if begin < end]

    def _measure(self, begin: datetime, end: datetime, **which: Any) -> Measure:  # noqa: ANN401
        question = replace(self._question, begin=begin, end=end)
        until = max(begin, min(end, self._until))
        return Measure(
            self._project_id, question, until, self._dimension, series=self._series, **which
        )

    def _piece(self, metric: str, begin: datetime, end: datetime, **which: Any) -> str:  # noqa: ANN401
        """Return a piece; `which` playbacks are as for a Measure."""
        measure = self._measure(begin, end, **which)
        return self._named(measure.statement(metric), measure.values)

    def _named(self, statement: str, values: dict[str, Any]) -> str:
        """Give the parameters of a piece names of its own."""
        self._pieces += 1
        suffix = f"_{self._pieces}"
        self._values |= {name + suffix: value for name, value in values.items()}
        return _PARAMETER.sub(lambda found: f":{found[1]}{suffix}", statement)

    def _weighed(self, metric: str, begin: datetime, end: datetime) -> str:
        """Return a piece, without who is counted once for all of them."""
        piece = self._piece(metric, begin, end)
        if metric == "watch-time-parts":  # who is counted is told by `_edges`
            return f"SELECT g, a, 0 AS b FROM ({piece}) AS piece"  # noqa: S608
        return piece

    def _rolled(self, metric: str, cells: Cells) -> list[str]:
        if cells.changes:
            self._values["changed_dimension"] = cells.changes.number
            changes = self._rows(cells.changes, ":changed_dimension")
            apart = self._series or self._dimension != ""
            return [peaks.highest(self._rows(cells), changes, apart=apart)]
        group, rows = self._rows(cells)
        first = group if self._series else ":rolled_begin"
        who = "viewers" if self._question.unique else "view"
        presence = f"FROM play_presence WHERE since_at < {first} AND {rows} GROUP BY 1"
        grouped = f"WHERE {rows} GROUP BY 1"
        match metric:
            case "view":
                column = f"{who}_{self._question.view_s}"
                return [f"SELECT {group} AS g, sum({column})::float8 AS v {presence}"]
            case "watch-time-parts":
                seconds = "(sum(watched_us) / 1e6)::float8"
                return [
                    f"SELECT {group} AS g, {seconds} AS a, 0 AS b FROM play_rollup {grouped}",  # noqa: S608
                    f"SELECT {group} AS g, 0, sum(watched)::float8 {presence}",
                ]
            case "ccv-average":
                column = "viewers_us" if self._question.unique else "present_us"
                sums = f"(sum({column}) / 1e6)"
            case "ccv-peak" if self._question.unique:
                sums = "max(viewers_peak)"
            case _ if cells.of_pairs:
                unfolded = pairs.unfolded(rows, _SUMS[metric])
                where = " AND ".join(("true", *cells.others))
                return [
                    f"SELECT {group} AS g, {_SUMS[metric]} FROM {unfolded} WHERE {where} GROUP BY 1"  # noqa: S608
                ]
            case _:
                return [f"SELECT {group} AS g, {_SUMS[metric]} FROM play_rollup {grouped}"]  # noqa: S608
        return [f"SELECT {group} AS g, {sums}::float8 AS v FROM play_rollup {grouped}"]  # noqa: S608

    def _edges(self, counted: str, middle: tuple[datetime, datetime]) -> str:
        """Count who watched outside the middle and not in it."""
        measure = self._measure(self._question.begin, self._question.end)
        values = measure.values | {"middle_begin": middle[0], "middle_end": middle[1]}
        column = DIMENSIONS[self._dimension][2]
        before, behind = "tstzrange(:begin, :middle_begin)", "tstzrange(:middle_end, :until)"
        early = "p.last_at >= :begin AND p.loaded_at < :middle_begin"
        late = "p.last_at >= :middle_end AND p.loaded_at < :end"
        conditions = [
            *measure.conditions,
            "p.closed_at >= :begin",
            f"({early} OR {late})",
            f"p.watched && tstzmultirange({before}, {behind})",
            "NOT p.watched && tstzrange(:middle_begin, :middle_end)",
        ]
        if counted == "view":
            conditions.append("p.watched_ms >= :view_ms")
        where = " AND ".join(conditions)
        numbers = "count(*)::float8 AS v" if counted == "view" else "0 AS a, count(*)::float8 AS b"
        edges = f"SELECT {column} AS g FROM playback p WHERE {where}"  # noqa: S608
        if counted == "view" and self._question.unique:
            others = [each.replace("p.", "q.") for each in measure.conditions]
            # Each viewer is looked up once, by the index of viewers: that is what OFFSET is for.
            edges = f"""
                SELECT g FROM (SELECT DISTINCT {column} AS g, p.viewer FROM playback p
                                WHERE {where}) AS e
                 WHERE NOT EXISTS (
                       SELECT 1 FROM playback q
                        WHERE q.viewer = e.viewer AND {" AND ".join(others)}
                          AND {column.replace("p.", "q.")} = e.g AND q.watched_ms >= :view_ms
                          AND q.closed_at >= :middle_begin AND q.loaded_at < :middle_end
                          AND q.watched && tstzrange(:middle_begin, :middle_end) OFFSET 0)
            """  # noqa: S608  (no values inside)
        statement = f"SELECT g, {numbers} FROM ({edges}) AS edge GROUP BY 1"  # noqa: S608
        return self._named(statement, values)
