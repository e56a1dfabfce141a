"""Everything that was watched, as it is stored: read by and by, so that nothing piles up here."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, postgres, sql

from telecine.db.engine import Database, raw_connection
from telecine.formats.parquet import Column, Type, Writer

_PLAYBACKS = """
    SELECT pr.public_id AS project, pr.environment, p.session_id, p.id AS playback_id, p.media_id,
           p.media_type, CASE WHEN p.generation < 3 THEN 'pings' ELSE 'requests' END AS source,
           p.loaded_at, p.last_at, p.impression_at, p.started_at, p.ended_at,
           p.load_ms, p.watched_ms, p.watched, p.position_s,
           CASE WHEN p.startup_ms >= 0 THEN p.startup_ms END AS startup_ms, p.stall_count,
           p.stall_ms, p.switch_count, p.error_count, p.bitrate_kbps, p.throughput_kbps,
           p.rendition, p.referrer, p.labels AS metadata,
           p.country, p.continent, p.city, p.device_type, p.device_vendor, p.device_model, p.os,
           p.os_version, p.browser, p.browser_version
      FROM playback p JOIN project pr ON pr.id = p.project_id
     WHERE {wanted}
"""
_EVENTS = """
    SELECT pr.public_id AS project, pr.environment, p.session_id, p.id AS playback_id, p.media_id,
           e.type, to_timestamp((e.emitted_ms + p.skew_ms) / 1000.0) AS emitted_at, e.at_s,
           e.from_s
      FROM playback p JOIN project pr ON pr.id = p.project_id
      JOIN play_event e ON e.playback_id = p.id AND e.opened_at = p.opened_at
     WHERE {wanted} AND p.generation < 3
"""
TABLES: Mapping[str, str] = {"playbacks": _PLAYBACKS, "events": _EVENTS}

# What no JSON has inside: it never is quoted, nor anything in it escaped.
_PLAIN = r"(FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01')"
FORMATS: Mapping[str, str] = {
    "csv": "COPY ({}) TO STDOUT (FORMAT csv, HEADER)",
    "jsonl": "COPY (SELECT row_to_json(t) FROM ({}) AS t) TO STDOUT " + _PLAIN,  # noqa: S608
}

PARQUET = "parquet"

_GROUP_ROWS = 20_000
"""Rows that are in memory at a time; larger groups pack little better."""

_TYPES = {
    **dict.fromkeys(("int2", "int4", "int8"), Type.INTEGER),
    "float8": Type.NUMBER,
    "timestamptz": Type.MOMENT,
}
"""Of the columns that are not texts."""


async def export(
    db: Database,
    table: str,
    form: str,
    within: tuple[datetime | None, datetime | None],
    project: str | None,
) -> AsyncIterator[bytes]:
    """Yield a table of TABLES in one of FORMATS (lines) or as PARQUET, in no order.

    `within`: when playbacks were loaded, from a moment on and before another. `project` is a
    public id, None: those of all.
    """
    begin, end = within
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if begin is not None:
        # Those that are over since are in partitions that need not be read.
        given = sql.Literal(begin)
        conditions.append(sql.SQL("p.loaded_at >= {} AND p.closed_at >= {}").format(given, given))
    if end is not None:
        conditions.append(sql.SQL("p.loaded_at < {}").format(sql.Literal(end)))
    if project is not None:
        conditions.append(sql.SQL("pr.public_id = {}").format(sql.Literal(project)))
    wanted = sql.SQL(" AND ").join(conditions)
    query = sql.SQL(TABLES[table]).format(wanted=wanted)
    async with db.transaction() as tx:
        connection = await raw_connection(tx)
        await connection.execute("SET LOCAL timezone = 'UTC'")
        if form == PARQUET:
            async for part in _parquet(connection, query):
                yield part
            return
        async with connection.cursor().copy(sql.SQL(FORMATS[form]).format(query)) as copy:
            async for lines in copy:
                yield bytes(lines)


async def _parquet(connection: AsyncConnection[Any], query: sql.Composed) -> AsyncIterator[bytes]:
    columns = await _columns(connection, query)
    given = sql.SQL("SELECT {} FROM ({}) AS t").format(
        sql.SQL(", ").join(map(_expression, columns)), query
    )
    writer = Writer(columns)
    yield writer.begin()
    async with connection.cursor("exported") as cursor:  # named: the rows stay in the database
        await cursor.execute(given)
        while rows := await cursor.fetchmany(_GROUP_ROWS):
            yield writer.group(list(zip(*rows, strict=True)))
    yield writer.end()


async def _columns(connection: AsyncConnection[Any], query: sql.Composed) -> list[Column]:
    cursor = await connection.execute(sql.SQL("SELECT * FROM ({}) AS t LIMIT 0").format(query))
    names = {postgres.types[name].oid: kind for name, kind in _TYPES.items()}
    return [
        Column(each.name, names.get(each.type_code, Type.TEXT)) for each in cursor.description or ()
    ]


def _expression(column: Column) -> sql.Composed:
    name = sql.Identifier(column.name)
    match column.type:
        case Type.MOMENT:
            return sql.SQL("CAST(extract(epoch FROM {}) * 1000000 AS bigint)").format(name)
        case Type.TEXT:
            return sql.SQL("CAST({} AS text)").format(name)
        case _:
            return sql.SQL("{}").format(name)
