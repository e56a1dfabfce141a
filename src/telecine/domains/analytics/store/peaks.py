"""The peak of viewers of several values at once, from the moments at which their number changed.

Peaks of several values cannot be added up: they may have been at different times. So rollups of
`rollups.CHANGED` keep all moments. Few of them are read: an hour cannot have more viewers than the
peaks of its values together, and where that is no more than was found elsewhere it is left alone.
"""

from collections.abc import Iterable

_FIRST = 8
"""How many hours (or days) are read at once: those that may have the highest peak."""


def keep(source: str, dimensions: Iterable[int]) -> str:
    """Return the INSERT of what changes in the time from `:begin` by the spans in `source`."""
    numbers = ", ".join(map(str, dimensions))
    return f"""
        INSERT INTO play_change (project_id, dimension, start_at, value, moments)
        SELECT project_id, d, :begin, v, array_agg(c ORDER BY c)
          FROM {source} CROSS JOIN LATERAL (
               VALUES ({_us("lower(r)")} * 2 + 1), ({_us("upper(r)")} * 2)) AS changed (c)
         WHERE d IN ({numbers}) GROUP BY project_id, d, v ORDER BY project_id, d, v
    """  # noqa: S608  (no values inside)


def highest(bound: tuple[str, str], changes: tuple[str, str], *, apart: bool) -> str:
    """Return a SELECT of `g` and `v`, the highest number of viewers of each group.

    `bound` and `changes` are group and WHERE of rollups: of those whose peaks tell how many it
    can be at most, and of those whose moments are kept. `apart`: there are several groups.
    """
    group, where = bound
    return f"""
        WITH bound AS MATERIALIZED (
            SELECT g, start_at, n, row_number() OVER (PARTITION BY g ORDER BY n DESC) AS place
              FROM (SELECT {group} AS g, start_at, sum(peak) AS n FROM play_rollup
                     WHERE {where} GROUP BY 1, 2) AS summed),
        found AS MATERIALIZED ({_reached(changes, f"place <= {_FIRST}", apart=apart)}),
        higher AS MATERIALIZED (
            SELECT bound.* FROM bound LEFT JOIN found USING (g)
             WHERE place > {_FIRST} AND n > coalesce(v, 0))
        SELECT g, v FROM found UNION ALL {_reached(changes, "true", "higher", apart=apart)}
    """  # noqa: S608  (no values inside)


def _reached(changes: tuple[str, str], which: str, hours: str = "bound", *, apart: bool) -> str:
    group, where = changes
    by_group = "PARTITION BY g" if apart else ""
    return f"""
        SELECT g, max(n)::float8 AS v FROM (
            SELECT g, sum(2 * (c & 1) - 1) OVER (
                       {by_group} ORDER BY c ROWS UNBOUNDED PRECEDING) AS n
              FROM (SELECT p.g, unnest(p.moments) AS c
                      FROM (SELECT {group} AS g, start_at, moments FROM play_change
                             WHERE {where}) AS p
                      JOIN {hours} AS h ON h.start_at = p.start_at AND h.g = p.g AND {which}
                   ) AS changed) AS running
         GROUP BY g
    """  # noqa: S608  (no values inside)


def _us(moment: str) -> str:
    return f"CAST(extract(epoch FROM {moment}) * 1000000 AS bigint)"
