"""Numbers about playbacks: from a question to a statement, and its rows.

Nothing of a caller's is ever part of a statement's text: that is put together of the pieces
in this file.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from sqlalchemy import text

from telecine.db.engine import Transaction
from telecine.domains.analytics.questions import INTERVALS, Question
from telecine.http.pagination import Page

DIMENSIONS = {
    "media-id": "p.media_id",
    "media-type": "p.media_type",
    "continent": "p.continent",
    "country": "p.country",
    "device-type": "p.device_type",
    "operating-system": "p.os",
    "browser": "p.browser",
    "referrer": "p.referrer",
}

LIVE_WITHIN = timedelta(seconds=20)
"""Whoever was heard playing so long ago is watching; one who stopped since is not."""

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
    "tag": "EXISTS (SELECT 1 FROM video v WHERE v.project_id = p.project_id"
    " AND v.public_id = p.media_id AND v.tags @> :tag AND v.deleted_at IS NULL)",
}
_EPOCH = "TIMESTAMPTZ '2000-01-01 UTC'"

# Compiling one of these takes longer than running it.
_WITHOUT_COMPILER = text("SET LOCAL jit = off")

# Of the interval `t`: what lies in it and in what was asked for.
_LOW, _HIGH = "greatest(t, :begin)", "least(t + :step, :until)"
_STRETCH = "CROSS JOIN LATERAL (SELECT CAST(:begin AS timestamptz) AS t) AS stretch"


def _stretches(low: str, high: str) -> str:
    """Return the intervals of a series that a playback reaches from `low` to `high`."""
    return (
        "CROSS JOIN LATERAL generate_series("
        f"date_bin(:step, greatest({low}, :begin), {_EPOCH}), least({high}, :until), :step) AS t"
    )


class Measure:
    """One statement in the making: `group` is what its rows are told apart by.

    `dimension` is one of DIMENSIONS; without it and without `series` there is one row.
    """

    def __init__(
        self, project_id: UUID, question: Question, now: datetime, dimension: str = ""
    ) -> None:
        self._question = question
        self._dimension = DIMENSIONS[dimension] if dimension else "''"
        self._series = False
        self._until = max(question.begin, min(question.end, now))
        self._values: dict[str, Any] = {
            "project_id": project_id,
            "begin": question.begin,
            "end": question.end,
            "until": self._until,
            "step": max(self._until - question.begin, timedelta(milliseconds=1)),
        }
        conditions = [
            "p.project_id = :project_id",
            "p.loaded_at < :end",
            "p.last_at >= :begin",
        ]
        for name, values in question.filters.items():
            conditions.append(_FILTERS[name])
            self._values[name] = _meant(name, values)
        if dimension in ("continent", "country"):  # what is not known has no code
            conditions.append(f"{self._dimension} IS NOT NULL")
        self._where = " AND ".join(conditions)

    def as_series(self) -> "Measure":
        """Tell the intervals of the question apart."""
        self._series = True
        self._values["step"] = INTERVALS[self._question.interval]
        return self

    async def number(self, tx: Transaction, metric: str) -> float:
        """Return the one number that is asked for, 0 if there is nothing."""
        await tx.execute(_WITHOUT_COMPILER)
        found = (await tx.execute(text(self._statement(metric)), self._bound(metric))).first()
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
            WITH q AS MATERIALIZED ({self._statement(metric)})
            SELECT (SELECT count(*) FROM q), listed.g, listed.v
              FROM (SELECT 1) AS one
              LEFT JOIN LATERAL (SELECT g, v FROM q ORDER BY {order}
                                 OFFSET :offset LIMIT :limit) AS listed ON true
        """  # noqa: S608  (no values inside)
        await tx.execute(_WITHOUT_COMPILER)
        of_page = {"offset": wanted.bounded_offset, "limit": wanted.size}
        rows = (await tx.execute(text(statement), self._bound(metric) | of_page)).all()
        return rows[0][0], [(group, number) for _, group, number in rows if number is not None]

    def _bound(self, metric: str) -> dict[str, Any]:
        statement = self._statement(metric)
        return {name: value for name, value in self._values.items() if f":{name}" in statement}

    def _statement(self, metric: str) -> str:
        match metric:
            case "play" | "start" | "end" | "impression":
                return self._count(_MOMENTS[metric])
            case "play-rate":
                return self._rate()
            case "view":
                return self._views()
            case "ccv-peak" | "ccv-average":
                return self._viewers(metric)
            case "impression-time-sum" | "impression-time-average":
                return self._load_times(metric)
            case "watch-time-sum" | "watch-time-average":
                return self._watch_times(metric)
            case _:
                return self._totals()

    def _group(self, moment: str) -> str:
        return f"date_bin(:step, {moment}, {_EPOCH})" if self._series else self._dimension

    def _moments(self, moment: str, counted: str) -> str:
        return (
            f"SELECT {self._group(moment)} AS g, {counted} FROM playback p"  # noqa: S608
            f" WHERE {self._where} AND {moment} >= :begin AND {moment} < :end"
        )

    def _count(self, moment: str) -> str:
        return self._moments(moment, "count(*)::float8 AS v") + " GROUP BY 1"

    def _rate(self) -> str:
        plays = self._moments(_MOMENTS["play"], "1 AS plays, 0 AS impressions")
        impressions = self._moments(_MOMENTS["impression"], "0, 1")
        return (
            "SELECT g, coalesce(sum(plays)::float8 / nullif(sum(impressions), 0), 0) AS v"  # noqa: S608
            f" FROM ({plays} UNION ALL {impressions}) AS moment GROUP BY 1"
        )

    def _views(self) -> str:
        self._values["view_ms"] = self._question.view_s * 1000
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
        group = "t" if self._series else self._dimension
        who = "p.viewer" if self._question.unique else "p.id"
        self._values["within"] = LIVE_WITHIN
        ends = "upper(r) + CASE WHEN upper_inc(r) THEN :within ELSE interval '0' END"
        stretches = _stretches("lower(r)", ends) if self._series else _STRETCH
        present = f"""
            SELECT g, t, unnest(range_agg(tstzrange(low, high))) AS r FROM (
                SELECT {group} AS g, t, {who} AS who,
                       greatest(lower(r), {_LOW}) AS low, least({ends}, {_HIGH}) AS high
                  FROM playback p CROSS JOIN LATERAL unnest(p.watched) AS r {stretches}
                 WHERE {self._where}) AS span
             WHERE low < high GROUP BY g, t, who
        """  # noqa: S608  (no values inside)
        if metric == "ccv-average":
            return f"""
                SELECT g, (sum(extract(epoch FROM upper(r) - lower(r)))
                           / extract(epoch FROM {_HIGH} - {_LOW}))::float8 AS v
                  FROM ({present}) AS present GROUP BY g, t
            """  # noqa: S608  (no values inside)
        return f"""
            WITH present AS ({present})
            SELECT g, max(n)::float8 AS v FROM (
                SELECT g, sum(change) OVER (PARTITION BY g ORDER BY moment, change) AS n FROM (
                    SELECT g, lower(r) AS moment, 1 AS change FROM present UNION ALL
                    SELECT g, upper(r), -1 FROM present) AS change) AS running
             GROUP BY g
        """  # noqa: S608  (no values inside)

    def _load_times(self, metric: str) -> str:
        function = "sum" if metric.endswith("sum") else "avg"
        return (
            self._moments(_MOMENTS["impression"], f"{function}(p.load_ms)::float8 AS v")
            + " GROUP BY 1"
        )

    def _watch_times(self, metric: str) -> str:
        function = "sum" if metric.endswith("sum") else "avg"
        return f"""
            SELECT '' AS g, ({function}(ms) / 1000)::float8 AS v FROM (
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


def _meant(name: str, values: list[str]) -> list[str]:
    """Return the values to compare with what is stored."""
    if name == "referrer":  # callers encode them once more
        return [*values, *(unquote(value) for value in values)]
    if name == "continent":
        return ["AZ" if value == "OC" else value for value in values]
    return values[-1:] if name in ("tag", "mediaType") else values
