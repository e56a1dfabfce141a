"""The quality of experience, as terms of SQL about a playback `p`; see docs/reference/analytics.md.

Each metric is the quotient of two sums over the playbacks that were begun and tell of it.
"""

from telecine.domains.analytics.models import OPEN
from telecine.domains.analytics.questions import RENDITION
from telecine.domains.analytics.reports import NOT_STARTED
from telecine.domains.analytics.store import rollups

DIMENSIONS = {**rollups.DIMENSIONS, RENDITION: (9, False, "p.rendition")}
"""As those of all other numbers; quality has one more."""

ROLLED = {**DIMENSIONS, rollups.AUDIENCE: rollups.ROLLED[rollups.AUDIENCE]}
"""All that is rolled up."""

_TOLD_BY_PINGS = """
    q.project_id = p.project_id AND q.media_id = p.media_id AND q.generation < 3
    AND q.startup_ms IS NOT NULL
"""
# Looked up by an index for each of them: that is what OFFSET is for.
TOLD_TWICE = f"""
    p.generation = 3 AND (
        EXISTS (SELECT 1 FROM playback q
                 WHERE q.session_id = p.session_id AND {_TOLD_BY_PINGS} OFFSET 0)
        OR EXISTS (SELECT 1 FROM playback q
                    WHERE q.viewer = p.viewer AND {_TOLD_BY_PINGS}
                      AND q.loaded_at <= p.last_at AND q.last_at >= p.loaded_at OFFSET 0))
"""  # noqa: S608  (no values inside)
"""Whether the client data of requests is of a player that sends pings of its quality as well."""

TELLS = f"p.startup_ms IS NOT NULL AND NOT p.told_twice AND p.closed_at < {OPEN}"
"""Closed playbacks of players that tell of their quality; of those, whoever wanted to play counts.

A player that sends pings as well as client data with its requests counts once, by its pings:
that was decided when the playback was closed.
"""

TELLS_YET = f"p.startup_ms IS NOT NULL AND NOT ({TOLD_TWICE})"
"""The same of playbacks that are open: of `playback_open`."""


def column(dimension: str) -> str:
    """Return what playbacks are told apart by."""
    return DIMENSIONS[dimension][2]


_NEVER_STARTED = f"p.startup_ms = {NOT_STARTED}"
_EXITED = f"({_NEVER_STARTED} AND p.error_count = 0)"
_MINUTES = "greatest(p.watched_ms / 60000::float8, 1)"
_RATIO = "p.stall_ms::float8 / greatest(p.stall_ms + p.watched_ms, 1)"

SUMMED_UNTIL = "(SELECT until_at FROM play_quality_rolled)"
"""Until when playbacks that were closed are in `play_quality`."""

SCORE = f"""
    CASE WHEN {_NEVER_STARTED} THEN 0
         ELSE greatest(0, 100
              - 20 * least(1, greatest(0, p.startup_ms - 1000) / 9000::float8)
              - 50 * least(1, {_RATIO} / 0.1)
              - 10 * least(1, p.switch_count / {_MINUTES} / 10)
              - CASE WHEN p.error_count > 0 THEN 20 ELSE 0 END)
    END
"""
"""From 0 to 100: what a slow start, waiting, changes of the picture and errors take away."""

SUMS = {
    "playbacks": "count(*)",
    "starts": "count(*) FILTER (WHERE p.startup_ms >= 0)",
    "startup_ms": "coalesce(sum(p.startup_ms) FILTER (WHERE p.startup_ms >= 0), 0)",
    "stall_count": "sum(p.stall_count)",
    "stall_ms": "sum(p.stall_ms)",
    "watched_ms": "sum(p.watched_ms)",
    "switch_count": "sum(p.switch_count)",
    "rated": "count(p.bitrate_kbps)",
    "bitrate_kbps": "coalesce(sum(p.bitrate_kbps), 0)",
    "measured": "count(p.throughput_kbps)",
    "throughput_kbps": "coalesce(sum(p.throughput_kbps), 0)",
    "failed": "count(*) FILTER (WHERE p.error_count > 0)",
    "exits": f"count(*) FILTER (WHERE {_EXITED})",
    "score": f"sum({SCORE})",
}
"""What is summed up of playbacks: the columns of `PlayQuality`, and how they are made."""

METRICS = {
    "startup-time": ("startup_ms", ("starts",)),
    "rebuffer-count": ("stall_count", ("playbacks",)),
    "rebuffer-ratio": ("stall_ms", ("stall_ms", "watched_ms")),
    "bitrate-switches": ("switch_count", ("playbacks",)),
    "bitrate": ("bitrate_kbps", ("rated",)),
    "throughput": ("throughput_kbps", ("measured",)),
    "error-rate": ("failed", ("playbacks",)),
    "exit-before-start-rate": ("exits", ("playbacks",)),
    "quality-score": ("score", ("playbacks",)),
}
"""The dividend of each metric among SUMS, and what its divisor is made of."""


def parts(metric: str, *, rolled: bool = False) -> str:
    """Return dividend and divisor as columns `a` and `b`: of playbacks, or of their rollups."""
    dividend, divisor = METRICS[metric]

    def of(name: str) -> str:
        return f"sum({name})" if rolled else SUMS[name]

    below = " + ".join(map(of, divisor))
    return f"({of(dividend)})::float8 AS a, ({below})::float8 AS b"
