"""Rollups of media, and of pages, together with all else that viewers are told apart by.

There are about as many of these pairs as there are playbacks. So there is one row for each value
of `rollups.AUDIENCE` on a day, and what was watched by it is in arrays: whoever asks about a
country reads a hundredth of the rows, and nothing of the others.
"""

from collections.abc import Mapping

WATCHED = ("media-id", "referrer")
"""The dimensions of `others`."""

SUMS = ("plays", "ends", "impressions", "loads", "load_ms")
"""What is summed up: columns of `PlayPair`, arrays in the order of `others`."""

METRICS = frozenset({"play", "start", "end", "impression", "play-rate"}) | {
    "impression-time-average",
    "impression-time-sum",
}
"""What can be told by them."""


def keep(source: str, audience: str, others: Mapping[int, str], sums: str) -> str:
    """Return the INSERT of a day, from the playbacks in `source`.

    `others` are the columns of the dimensions that are paired, `sums` are SUMS of playbacks.
    """
    columns = ", ".join(f"(CAST({number} AS smallint), {each})" for number, each in others.items())
    arrays = ", ".join(f"array_agg({each} ORDER BY v)" for each in SUMS)
    return f"""
        INSERT INTO play_pair (project_id, dimension, start_at, value, others, {", ".join(SUMS)})
        SELECT project_id, d, :begin, a, array_agg(v ORDER BY v), {arrays}
          FROM (SELECT project_id, d, {audience} AS a, v, {sums}
                  FROM {source} p CROSS JOIN LATERAL (VALUES {columns}) AS other (d, v)
                 GROUP BY 1, 2, 3, 4) AS summed
         WHERE plays + ends + impressions > 0 GROUP BY project_id, d, a ORDER BY 1, 2, 4
    """  # noqa: S608  (no values inside)


def unfolded(where: str, sums: str) -> str:
    """Return a FROM of one row for each pair: `other` is what the audience watched.

    Only those of SUMS are unfolded which the terms `sums` are about: that is most of the work.
    """
    wanted = ("others", *(each for each in SUMS if f"({each})" in sums))
    columns = ", ".join(f"unnest({each}) AS {each.replace('others', 'other')}" for each in wanted)
    return f"(SELECT start_at, value, {columns} FROM play_pair WHERE {where}) AS pair"  # noqa: S608
