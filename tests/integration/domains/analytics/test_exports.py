import csv
import io
import json
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from sqlalchemy import text

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.analytics.buffer import Buffer
from telecine.domains.analytics.store import exports
from telecine.domains.analytics.store.exports import PARQUET, export
from tests.integration.domains.analytics.playing import Player, make_video

pytestmark = pytest.mark.anyio

AWKWARD = 'https://a.example/?q="x",\\n;=1\nbehind'
ALWAYS = (None, None)
_COLUMNS = """
    SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
     WHERE table_name = 'playback' AND table_schema = current_schema()
       AND column_name NOT IN ('id', 'closed_at')
"""


async def exported(db: Database, *asked: Any) -> str:
    return b"".join([lines async for lines in export(db, *asked)]).decode()


async def test_playbacks_and_events_come_out_as_they_went_in(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    await Player(client, video_id, referrer=AWKWARD).send(
        (9, 1, 0), (8, 2, 0), (3, 3, 5), meta={"user": 'a\\b"c'}
    )
    await pings.flush()
    [row] = csv.DictReader(io.StringIO(await exported(db, "playbacks", "csv", ALWAYS, None)))
    assert (row["media_id"], row["referrer"], row["watched_ms"]) == (video_id, AWKWARD, "5000")
    assert row["loaded_at"].endswith("+00")
    [line] = (await exported(db, "playbacks", "jsonl", ALWAYS, None)).splitlines()
    found = json.loads(line)
    assert (found["referrer"], found["metadata"]) == (AWKWARD, {"user": 'a\\b"c'})
    assert "viewer" not in found
    events = (await exported(db, "events", "jsonl", ALWAYS, None)).splitlines()
    assert [json.loads(each)["type"] for each in events] == ["ready", "play", "pause"]


async def test_the_memory_of_parquet_is_that_of_a_group_however_many_there_are(
    client: httpx.AsyncClient,
    db: Database,
    pings: Buffer,
    video_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exports, "_GROUP_ROWS", 500)
    await Player(client, video_id, referrer="https://a.example/" + "x" * 1500).send((9, 1, 0))
    await pings.flush()

    async def peak_bytes(rows: int) -> int:
        """Fill up to some rows, and tell what an export of them takes at once."""
        async with db.transaction() as tx:
            columns = (await tx.scalars(text(_COLUMNS))).one()
            copies = f"INSERT INTO playback (id, closed_at, {columns}) SELECT gen_random_uuid(),"
            copies += f" now(), {columns} FROM (SELECT * FROM playback LIMIT 1) AS p,"
            copies += " generate_series(1, :rows - (SELECT count(*) FROM playback))"
            await tx.execute(text(copies), {"rows": rows})
        size = groups = 0
        tracemalloc.start()
        try:
            async for part in export(db, "playbacks", PARQUET, ALWAYS, None):
                size += len(part)
                groups += 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            assert groups == rows // 500 + 2

    few = await peak_bytes(1000)
    many = await peak_bytes(6000)
    assert many < few * 1.2
    assert few < 500 * 30_000  # a row is about 2 kB, and is here as text, plain and packed


async def test_parquet_has_the_same_rows_and_their_types(
    client: httpx.AsyncClient,
    db: Database,
    pings: Buffer,
    video_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exports, "_GROUP_ROWS", 2)
    for _ in range(3):
        await Player(client, video_id, referrer=AWKWARD).send(
            (9, 1, 0), (8, 2, 0), (3, 3, 5), meta={"user": "\u00fcn\u00efc\u00f6de"}
        )
    await pings.flush()
    for table in ("playbacks", "events"):
        path = tmp_path / f"{table}.parquet"
        path.write_bytes(
            b"".join([part async for part in export(db, table, "parquet", ALWAYS, None)])
        )
        lines = tmp_path / f"{table}.csv"
        lines.write_text(await exported(db, table, "csv", ALWAYS, None))
        # As texts, all that differs is how they are written.
        head = csv.DictReader(io.StringIO(lines.read_text())).fieldnames or ()
        with duckdb.connect() as reader:
            found = reader.execute(f"SELECT * FROM '{path}' ORDER BY ALL")
            assert [each[0] for each in found.description] == list(head)
            assert len(found.fetchall()) == (3 if table == "playbacks" else 9)
            kinds = dict(
                reader.execute(f"SELECT name, type FROM parquet_schema('{path}')").fetchall()
            )
            moment = "loaded_at" if table == "playbacks" else "emitted_at"
            assert (kinds[moment], kinds["media_id"]) == ("INT64", "BYTE_ARRAY")
            reader.execute("SET timezone = 'UTC'")
            reader.execute(f"CREATE TABLE a AS SELECT * FROM '{path}'")
            reader.execute("CREATE TABLE b AS SELECT * FROM a LIMIT 0")
            reader.execute(
                f"INSERT INTO b FROM read_csv('{lines}', header = true, all_varchar = true)"
            )
            for one, other in (("a", "b"), ("b", "a")):
                query = f"SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other}"
                assert reader.execute(query).fetchall() == []


async def test_only_what_is_wanted(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, db: Database, pings: Buffer
) -> None:
    for viewer, ago_s in ((client, 5000), (client, 10), (stranger, 10)):
        await Player(viewer, await make_video(viewer, "watched")).send((ago_s, 1, 0))
    await pings.flush()
    before = clock.now() - timedelta(seconds=1000)

    async def count(*asked: Any) -> int:
        return len((await exported(db, "playbacks", "jsonl", *asked)).splitlines())

    assert await count(ALWAYS, None) == 3
    assert await count((before, None), None) == 2
    assert await count((None, before), None) == 1
    lines = (await exported(db, "playbacks", "jsonl", ALWAYS, None)).splitlines()
    projects = sorted({json.loads(each)["project"] for each in lines})
    assert sum([await count(ALWAYS, each) for each in projects]) == 3
    assert await count(ALWAYS, "x' OR true --") == 0
