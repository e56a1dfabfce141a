"""Numbers about playbacks, from the playbacks themselves: from a question to a statement.

Nothing of a caller's is ever part of a statement's text: that is put together of the pieces
in this file.
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from telecine.domains.analytics.questions import INTERVALS, RENDITION, Question
from telecine.domains.analytics.store import quality
from telecine.domains.analytics.store.rollups import GONE, LIVE_WITHIN

_MOMENTS = {
    "play": "p.started_at",
    "start": "p.started_at",
    "end": "p.ended_at",
    "impression": "p.impression_at",
}
_FILTERS = {
    "mediaId": "p.media_id = ANY (:mediaId)",
    "mediaType": "p.media_type = ANY (:mediaType)",
    "continent": "p.continent = ANY (:continent)",
    "country": "p.country = ANY (:country)",
    "deviceType": "p.device_type = ANY (:deviceType)",
    "operatingSystem": "p.os = ANY (:operatingSystem)",
    "browser": "p.browser = ANY (:browser)",
    "referrer": "p.referrer = ANY (:referrer)",
    RENDITION: "p.rendition = ANY (:rendition)",
    "tag": "EXISTS (SELECT 1 FROM video v WHERE v.project_id = p.project_id"
    " AND v.public_id = p.media_id AND v.tags @> :tag AND v.deleted_at IS NULL)",
}
EPOCH = "TIMESTAMPTZ '2000-01-01 UTC'"

# Of the interval `t`: what lies in it and in what was asked for.
_LOW, _HIGH = "greatest(t, :begin)", "least(t + :step, :until)"
_STRETCH = "CROSS JOIN LATERAL (SELECT CAST(:begin AS timestamptz) AS t) AS stretch"


def _stretches(low: str, high: str) -> str:
    """Return the intervals of a series that a playback reaches from `low` to `high`."""
    return (
        "CROSS JOIN LATERAL generate_series("
        f"date_bin(:step, greatest({low}, :begin), {EPOCH}), least({high}, :until), :step) AS t"
    )


class Measure:
    """One statement in the making: `dimension` is what its rows are told apart by.

    That is one of `rollups.DIMENSIONS`; without it and without `series` there is one row.
    """

    def __init__(
        self,
        project_id: UUID,
        question: Question,
        until: datetime,
        dimension: str = "",
        *,
        series: bool = False,
        closed_since: datetime | None = None,
        is_open: bool = False,
        by_time: bool = False,
    ) -> None:
        """`until` is the end of the question or now, whatever is first.

        The others are for numbers about the quality, which tell closed playbacks from open ones:
        `is_open`, else closed ones, with `closed_since` those that were since. `by_time` has
        playbacks of a short time found by the index of times, not by that of media.
        """
        self._is_open = is_open
        self._question = question
        self._dimension = quality.column(dimension)
        self._series = series
        step = INTERVALS[question.interval]
        self.values: dict[str, Any] = {
            "project_id": project_id,
            "begin": question.begin,
            "end": question.end,
            "until": until,
            "within": LIVE_WITHIN,
            "view_ms": question.view_s * 1000,
            "step": step if series else max(until - question.begin, timedelta(milliseconds=1)),
        }
        self.conditions = ["p.project_id = :project_id"]
        for name, values in question.filters.items():
            self.conditions.append(_FILTERS[name])
            self.values[name] = meant(name, values)
        if dimension in ("continent", "country", RENDITION):  # without a code, or none
            self.conditions.append(f"{self._dimension} IS NOT NULL")
        whole = " AND ".join(self.conditions)
        if by_time:  # an index cannot be asked like this
            whole = whole.replace(
                "p.project_id = :project_id",
                "CAST(p.project_id AS text) = CAST(:project_id AS text)",
            )
        # Those that only asked for media tell of nothing but the quality.
        self.conditions.append("p.generation < 3")
        times = ["p.loaded_at < :end", "p.last_at >= :begin"]
        if not is_open:
            times.append("p.closed_at >= :begin")
        if closed_since is not None:
            # The first one is for the planner; what is summed up may grow in the meantime.
            times += ["p.closed_at >= :closed_since", f"p.closed_at >= {quality.SUMMED_UNTIL}"]
            self.values["closed_since"] = closed_since
        self._where = " AND ".join([*self.conditions, *times])
        self._of_all = " AND ".join([whole, *times])

    def statement(self, metric: str) -> str:
        """Return a SELECT of `g` and `v`, a value or an interval and its number.

        `…-parts` of a quotient have `a` and `b` instead of `v`. For an average of viewers it is
        the seconds that all of them were there.
        """
        if metric in quality.METRICS:
            return self._quality(metric)
        match metric:
            case "play" | "start" | "end" | "impression":
                return self._count(_MOMENTS[metric])
            case "play-rate-parts":
                return self._rate()
            case "view":
                return self._views()
            case "ccv-peak" | "ccv-average" | "ccv-live":
                return self._viewers(metric)
            case "impression-time-parts":
                return self._load_times()
            case "watch-time-parts":
                return self._watch_times()
            case _:
                return self._totals()

    def _group(self, moment: str) -> str:
        return f"date_bin(:step, {moment}, {EPOCH})" if self._series else self._dimension

    def _moments(self, moment: str, counted: str, where: str = "", table: str = "playback") -> str:
        return (
            f"SELECT {self._group(moment)} AS g, {counted} FROM {table} p"  # noqa: S608
            f" WHERE {where or self._where} AND {moment} >= :begin AND {moment} < :end"
        )

    def _count(self, moment: str) -> str:
        return self._moments(moment, "count(*)::float8 AS v") + " GROUP BY 1"

    def _rate(self) -> str:
        plays = self._moments(_MOMENTS["play"], "1 AS plays, 0 AS impressions")
        impressions = self._moments(_MOMENTS["impression"], "0, 1")
        return (
            "SELECT g, sum(plays)::float8 AS a, sum(impressions)::float8 AS b"  # noqa: S608
            f" FROM ({plays} UNION ALL {impressions}) AS moment GROUP BY 1"
        )

    def _views(self) -> str:
        who = "DISTINCT p.viewer" if self._question.unique else "*"
        group, stretches = self._dimension, _STRETCH
        if self._series:
            group, stretches = "t", _stretches("lower(p.watched)", "upper(p.watched)")
        return f"""
            SELECT {group} AS g, count({who})::float8 AS v FROM playback p {stretches}
             WHERE {self._where} AND p.watched_ms >= :view_ms
               AND p.watched && tstzrange({_LOW}, greatest({_LOW}, {_HIGH}))
             GROUP BY 1
        """  # noqa: S608  (no values inside)

    def _viewers(self, metric: str) -> str:
        # Who was last heard before is still there for a moment; but nobody is `live` who was
        # not heard since.
        where = self._where
        if metric != "ccv-live":
            where = where.replace("p.last_at >= :begin", "p.last_at >= :begin - :within")
        stretches = _stretches("lower(r)", "gone") if self._series else _STRETCH
        # The planner does not know how few these are, and would read them in a slow order.
        spans = f"""
            WITH p AS MATERIALIZED (
                SELECT p.viewer, p.watched, {self._dimension} AS d FROM playback p WHERE {where}),
            span AS MATERIALIZED (
                SELECT {"t" if self._series else "p.d"} AS g, t, p.viewer,
                       greatest(lower(r), {_LOW}) AS low, least(gone, {_HIGH}) AS high
                  FROM p CROSS JOIN LATERAL unnest(p.watched) AS r
                  CROSS JOIN LATERAL (SELECT {GONE} AS gone) AS until {stretches})
        """  # noqa: S608  (no values inside)
        present = "SELECT g, t, low, high FROM span WHERE low < high"
        if self._question.unique:  # they may watch several at a time
            present = """
                SELECT g, t, lower(r) AS low, upper(r) AS high FROM (
                    SELECT g, t, unnest(range_agg(tstzrange(low, high))) AS r FROM span
                     WHERE low < high GROUP BY g, t, viewer) AS seen
            """
        if metric == "ccv-average":
            return f"""
                {spans} SELECT g, sum(extract(epoch FROM high - low))::float8 AS v
                  FROM ({present}) AS present GROUP BY g
            """  # noqa: S608  (no values inside)
        # Without ROWS, all changes of a moment count together.
        by_group = "g" if self._series else 'g COLLATE "C"'
        return f"""
            {spans}, present AS MATERIALIZED ({present})
            SELECT g, max(n)::float8 AS v FROM (
                SELECT g, sum(change) OVER (PARTITION BY {by_group} ORDER BY moment) AS n FROM (
                    SELECT g, low AS moment, 1 AS change FROM present UNION ALL
                    SELECT g, high, -1 FROM present) AS change) AS running
             GROUP BY g
        """  # noqa: S608  (no values inside)

    def _load_times(self) -> str:
        parts = "sum(p.load_ms)::float8 AS a, count(p.load_ms)::float8 AS b"
        return self._moments(_MOMENTS["impression"], parts) + " GROUP BY 1"

    def _quality(self, metric: str) -> str:
        table, tells = "playback", quality.TELLS
        if self._is_open:
            table, tells = "playback_open", quality.TELLS_YET
        where = f"{self._of_all} AND {tells}"
        return f"{self._moments('p.started_at', quality.parts(metric), where, table)} GROUP BY 1"

    def _watch_times(self) -> str:
        return f"""
            SELECT '' AS g, (sum(ms) / 1000)::float8 AS a, count(ms)::float8 AS b FROM (
                SELECT CASE WHEN p.loaded_at >= :begin AND p.last_at < :end THEN p.watched_ms
                       ELSE (SELECT sum(extract(epoch FROM upper(r) - lower(r))) * 1000
                               FROM unnest(p.watched * tstzmultirange(tstzrange(:begin, :end))) r)
                       END AS ms
                  FROM playback p
                 WHERE {self._where} AND p.watched && tstzrange(:begin, :end)) AS watched
        """  # noqa: S608  (no values inside)

    def _totals(self) -> str:
        named = [_FILTERS[name] for name in self._question.filters]
        where = " AND ".join(["p.project_id = :project_id", *named])
        return (
            f"SELECT {self._dimension} AS g, sum(p.plays)::float8 AS v FROM play_total p"  # noqa: S608
            f" WHERE {where} GROUP BY 1"
        )


def meant(name: str, values: list[str]) -> list[str]:
    """Return the values to compare with what is stored."""
    if name == "referrer":  # callers encode them once more
        return [*values, *(unquote(value) for value in values)]
    if name == "continent":
        return ["AZ" if value == "OC" else value for value in values]
    return values[-1:] if name in ("tag", "mediaType") else values
