import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select, text

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.analytics.buffer import Buffer
from telecine.domains.analytics.collector import Collector
from telecine.domains.analytics.models import Playback, PlayEvent, PlayTotal
from telecine.domains.analytics.shares import Shares
from telecine.domains.analytics.store.writes import AnalyticsStore, Arrival
from telecine.http.app import Api, create_app
from telecine.http.services import Services
from telecine.net.countries import Countries
from tests.fixtures.application import connect
from tests.integration.domains.analytics.playing import IPHONE, Player, iso

pytestmark = pytest.mark.anyio


def counted(result: str) -> float:
    return REGISTRY.get_sample_value("telecine_player_events_total", {"result": result}) or 0


async def playbacks(db: Database, pings: Buffer) -> list[Playback]:
    await pings.flush()
    async with db.transaction() as tx:
        return list(await tx.scalars(select(Playback).order_by(Playback.loaded_at)))


async def events(db: Database) -> list[tuple[str, float]]:
    async with db.transaction() as tx:
        rows = await tx.scalars(select(PlayEvent).order_by(PlayEvent.emitted_ms))
        return [(row.type, row.at_s) for row in rows]


def first_generation(media_id: str, loaded_s: float, **session: Any) -> dict[str, Any]:
    now = clock.now()

    def at(ago_s: float) -> str:
        return iso(now - timedelta(seconds=ago_s))

    return {
        "emitted_at": at(0),
        "session": {
            "loaded_at": at(loaded_s),
            "video_id": media_id,
            "referrer": "https://shop.example/",
            "metadata": [{"user": "7"}],
            **session,
        },
        "events": [
            {"type": "ready", "at": 0, "emitted_at": at(9)},
            {"type": "play", "at": 0, "emitted_at": at(8)},
            {"type": "pause", "at": 8, "emitted_at": at(0)},
        ],
    }


async def test_a_ping_of_the_first_generation_is_a_session(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    body = json.dumps(first_generation(video_id, 10))
    headers = {"content-type": "text/plain;charset=UTF-8", "user-agent": IPHONE}
    answer = await client.post("/vod", content=body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    session_id = answer.json()["session"]
    assert session_id.startswith("ps")
    [row] = await playbacks(db, pings)
    assert (row.session_id, row.media_id, row.media_type) == (session_id, video_id, "video")
    assert (row.device_type, row.os, row.browser) == ("phone", "ios", "safari")
    assert (row.referrer, row.labels) == ("https://shop.example/", {"user": "7"})
    assert row.watched_ms == 8000
    assert row.impression_at is not None
    assert row.started_at is not None
    assert row.started_at - row.impression_at == timedelta(seconds=1)
    assert await events(db) == [("ready", 0), ("play", 0), ("pause", 8)]


async def test_a_ping_that_comes_twice_is_one(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    body = first_generation(video_id, 10)
    answers = []
    for _ in range(2):
        answers.append((await client.post("/vod", json=body)).json())
        await pings.flush()
    assert answers[0] == answers[1]
    [row] = await playbacks(db, pings)
    assert row.watched_ms == 8000
    assert len(await events(db)) == 3
    async with db.transaction() as tx:
        [total] = await tx.scalars(select(PlayTotal))
    assert (total.media_id, total.plays) == (video_id, 1)


async def test_pings_that_overtake_each_other(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    player = Player(client, video_id)
    await player.send((40, 1, 0), (40, 2, 0))
    await player.send((30, 4, 10))
    await player.send((12, 2, 18), (10, 4, 20))
    await pings.flush()
    await player.send((35, 4, 5))
    await player.send((22, 3, 18))
    await player.send((25, 4, 15))
    [row] = await playbacks(db, pings)
    assert row.watched_ms == pytest.approx(20_000, abs=1000)
    assert (await events(db))[-2:] == [("pause", 18), ("play", 18)]


async def test_a_page_that_is_loaded_again_is_another_playback_of_the_session(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    first = (await client.post("/vod", json=first_generation(video_id, 60))).json()["session"]
    again = first_generation(video_id, 10, session_id=first)
    assert (await client.post("/vod", json=again)).json()["session"] == first
    rows = await playbacks(db, pings)
    assert [row.session_id for row in rows] == [first, first]


async def test_what_nobody_has_is_counted_and_answered_alike(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    assert (await client.delete(f"/videos/{video_id}")).status_code == 204
    unknown, invalid = counted("unknown_media"), counted("invalid")
    answer = await client.post("/vod", json=first_generation(video_id, 10))
    assert answer.status_code == 200
    assert answer.json()["session"].startswith("ps")
    await Player(client, "private").send((3, 2, 0))
    await client.post("/live", json=first_generation(video_id, 10))
    for body in (b"", b"{", b"[" * 5000, b"\xff", b'{"session":{"video_id":7}}'):
        for path in ("/vod", "/live"):
            answer = await client.post(path, content=body)
            assert answer.status_code == 200
            assert answer.json()["session"].startswith("ps")
        assert (await client.post("/watch", content=body)).status_code == 204
    assert await playbacks(db, pings) == []
    assert counted("unknown_media") == unknown + 4
    assert counted("invalid") == invalid + 16  # a live stream without an id among them


async def test_who_tells_too_much_is_answered_alike_and_counted(
    client: httpx.AsyncClient,
    collector: Collector,
    db: Database,
    pings: Buffer,
    video_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector, "_shares", Shares(2))
    limited = counted("limited")
    for number in range(3):
        answer = await client.post("/vod", json=first_generation(video_id, 10 + number))
        assert answer.json()["session"].startswith("ps")
    await Player(client, video_id).send((3, 2, 0), (1, 3, 2))
    assert len(await playbacks(db, pings)) == 2
    assert counted("limited") == limited + 3 + 2


@pytest.mark.parametrize("path", ["/vod", "/live", "/watch"])
async def test_long_bodies_are_refused(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, content=b" " * 65_537)).status_code == 413
    assert (await client.options(path)).status_code == 204
    assert (await client.get(path)).status_code == 405


async def test_live_streams_have_sessions_too(
    client: httpx.AsyncClient, db: Database, pings: Buffer
) -> None:
    made = await client.post("/live-streams", json={"name": "stream"})
    stream_id = made.json()["liveStreamId"]
    body = first_generation("x", 10, live_stream_id=stream_id)
    await client.post("/live", json=body)
    await Player(client, stream_id).watch(20, 12)
    rows = await playbacks(db, pings)
    assert {row.media_type for row in rows} == {"live-stream"}
    assert len(rows) == 2


async def test_nothing_of_an_address_is_kept(
    app: Api, client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    for address in ("203.0.113.9", "203.0.113.9", "198.51.100.3"):
        transport = httpx.ASGITransport(app, client=(address, 123))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as viewer:
            await Player(viewer, video_id).watch(10, 6)
    rows = await playbacks(db, pings)
    assert len({row.viewer for row in rows}) == 2
    async with db.transaction() as tx:
        kept = await tx.scalar(text("SELECT string_agg(p::text, ' ') FROM playback p"))
    assert "203.0.113" not in kept
    assert "198.51.100" not in kept


async def test_many_events_of_one_playback_are_cut_but_its_time_is_not(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    player = Player(client, video_id)
    for number in range(12):
        base = 120 - number * 10
        await player.send(
            *((base - each * 0.1, 2 + each % 2, each) for each in range(50)), (base - 5, 4, 1)
        )
    [row] = await playbacks(db, pings)
    assert row.event_count == 500
    assert len(await events(db)) == 500
    assert row.watched_ms > 12 * 2000


async def test_an_outage_of_the_database_loses_nothing(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    await Player(client, video_id).watch(10, 6)
    async with db.transaction() as tx:
        await tx.execute(text("SELECT pg_backend_pid()"))
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    [row] = await playbacks(db, pings)
    assert row.watched_ms == pytest.approx(6000, abs=50)


async def test_what_waits_is_stored_when_the_process_ends(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    await Player(client, video_id).watch(10, 6)
    async with asyncio.TaskGroup() as group:
        flushing = group.create_task(pings.run())
        await asyncio.sleep(0)
        flushing.cancel()
    async with db.transaction() as tx:
        [row] = await tx.scalars(select(Playback))
    assert row.watched_ms == pytest.approx(6000, abs=50)


class Slow(AnalyticsStore):
    """Stores when it is let."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.begun, self.let = asyncio.Event(), asyncio.Event()
        self.asked = 0

    async def add(self, arrivals: Sequence[Arrival]) -> tuple[int, int]:
        self.asked += 1
        self.begun.set()
        await self.let.wait()
        return await super().add(arrivals)


async def test_what_is_being_stored_is_not_cut_off_when_the_process_ends(
    services: Services, db: Database, video_id: str
) -> None:
    pings = Buffer(store := Slow(db))
    collector = Collector(pings, services.token_key, Countries())
    async with connect(create_app([], collector.routes(), services)) as client:
        await Player(client, video_id).watch(10, 6)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        flushing = group.create_task(pings.run())
        await store.begun.wait()
        flushing.cancel()
        await asyncio.sleep(0)
        store.let.set()
    assert store.asked == 1
    async with db.transaction() as tx:
        [row] = await tx.scalars(select(Playback))
    assert row.watched_ms == pytest.approx(6000, abs=50)


async def test_forged_times_are_moved_to_where_they_can_be(
    app: Api, client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    async with connect(app) as forger:
        for loaded in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
            body = first_generation(video_id, 10, loaded_at=loaded)
            await forger.post("/vod", json=body)
            await forger.post("/vod", json={**body, "emitted_at": loaded})
            await forger.post("/vod", json=body)
    await pings.flush()
    await Player(client, video_id).watch(10, 6)
    rows = await playbacks(db, pings)
    week = timedelta(days=31)
    assert all(abs(row.last_at - clock.now()) < week for row in rows)
