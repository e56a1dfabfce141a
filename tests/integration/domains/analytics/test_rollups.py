"""Numbers are the same with rollups and without, whatever was watched and asked."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.analytics.agents import Agent
from telecine.domains.analytics.buffer import Buffer
from telecine.domains.analytics.data_api import BREAKDOWNS, NUMBERS, SERIES
from telecine.domains.analytics.models import PlayRolled
from telecine.domains.analytics.questions import (
    QUALITY,
    RENDITION,
    VIEW_DURATIONS_S,
    Question,
)
from telecine.domains.analytics.reports import (
    NOT_STARTED,
    UNTOLD_START,
    Event,
    Quality,
    Report,
)
from telecine.domains.analytics.store import quality_rollups, rollups
from telecine.domains.analytics.store.figures import Figures
from telecine.domains.analytics.store.sweeps import close
from telecine.domains.analytics.store.writes import AnalyticsStore, Arrival
from telecine.domains.analytics.timeline import Span
from telecine.http.pagination import Page
from tests.integration.domains.analytics.playing import Player, make_video

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 5, 14, 20, tzinfo=UTC)
DAYS = 4
_PAIRED = ("play", "end", "impression", "play-rate", "impression-time-average")
BREAKDOWN_METRICS = [each for each in BREAKDOWNS if each != "play-total"]


def arrival(draw: random.Random, number: int, media: list[str]) -> Arrival:
    """A playback with pauses, of some minutes or many hours, maybe not even begun."""
    begin = NOW - timedelta(days=DAYS) * draw.random()
    if draw.random() < 0.3:  # at a boundary, where it is easy to count twice
        begin = begin.replace(minute=0, second=0, microsecond=0)
    start_ms = round(begin.timestamp() * 1000)
    at_ms, spans = start_ms + draw.choice((0, 0, 1700)), []
    for _ in range(draw.randint(0, 4)):
        end_ms = at_ms + draw.choice((0, 2500, 4000, 40_000, 900_000, 3_600_000, 20_000_000))
        spans.append(Span(at_ms, end_ms, True, draw.random() < 0.7))
        at_ms = end_ms + draw.choice((60_000, 1_800_000, 3_600_000, 30_000_000))
    last_ms = spans[-1].end_ms if spans else start_ms
    kinds = ["play"] * bool(spans) + ["end"] * (draw.random() < 0.4)
    viewer = f"{begin.date()}{draw.randint(0, 6)}".encode()
    return Arrival(
        Report(
            generation=draw.choice((2, 2, 2, 3)),
            key=("2", "tab", str(number), "x"),
            session_id=f"ps{number}",
            media_id=draw.choice(media),
            media_type=None,
            skew_ms=0,
            loaded_ms=start_ms,
            last_ms=last_ms,
            link_ms=10_000,
            impression_ms=draw.choice((None, start_ms + 700)),
            events=tuple(
                Event(kind, at, 0)
                for kind, at in zip(kinds, (start_ms + 900, last_ms), strict=False)
            ),
            spans=tuple(spans),
            referrer=draw.choice(("", "https://a.example/", "https://b.example/")),
            quality=quality_of(draw),
        ),
        viewer,
        Agent(device_type=draw.choice(("phone", "tv")), os="linux", browser="chrome"),
        country := draw.choice((None, "FR", "DE", "BR")),
        {None: None, "BR": "SA"}.get(country, "EU"),
        None,
    )


def quality_of(draw: random.Random) -> Quality:
    """What a player counts; some do not tell, some have not begun."""
    return Quality(
        startup_ms=draw.choice((None, NOT_STARTED, UNTOLD_START, 800, 4000)),
        stall_count=draw.randint(0, 3),
        stall_ms=draw.choice((0, 900, 70_000)),
        switch_count=draw.randint(0, 9),
        error_count=draw.choice((0, 0, 1)),
        bitrate_kbps=draw.choice((None, 1500, 4000)),
        throughput_kbps=draw.choice((None, 9000)),
        rendition=draw.choice((None, "360p", "720p")),
    )


def question(draw: random.Random, media: list[str]) -> Question:
    end = draw.choice((NOW, NOW + timedelta(days=1), NOW - timedelta(hours=draw.randint(0, 60))))
    begin = end - timedelta(hours=draw.randint(1, 24 * DAYS), minutes=draw.choice((0, 7)))
    begin = draw.choice((begin, begin.replace(minute=0, second=0), begin.replace(hour=0)))
    filters: dict[str, list[str]] = draw.choice(
        (
            {},
            {},
            {"mediaId": [draw.choice(media)]},
            {"country": ["FR"]},
            {"country": ["FR", "DE"], "deviceType": ["tv"]},
            {"referrer": [""]},
            {"referrer": ["", "https://a.example/"]},
            {"mediaId": media[:2]},
            {"country": ["DE", "BR"]},
            {"tag": ["told"]},
            {"tag": ["told"], "country": ["FR"]},
            {"deviceType": ["phone"]},
            {"mediaType": ["video"]},
            {"mediaType": ["video"], "mediaId": media[1:]},
            {"continent": ["EU"], "browser": ["chrome"], "operatingSystem": ["linux"]},
        )
    )
    return Question(
        begin=min(begin, end - timedelta(minutes=5)),
        end=end,
        filters=filters,
        unique=draw.random() < 0.5,
        view_s=draw.choice(list(VIEW_DURATIONS_S.values())),
        interval=draw.choice(("hour", "day")),
    )


def peak(draw: random.Random, media: list[str], kind: str) -> tuple[Question, str, str, str]:
    """Of several values of what is filtered by, some by one that it is not."""
    filters: dict[str, list[str]] = draw.choice(
        (
            {"country": ["FR", "DE", "BR"]},
            {"country": ["FR", "BR"], "deviceType": ["phone"]},
            {"deviceType": ["phone", "tv"]},
            {"browser": ["chrome"], "continent": ["EU"]},
            {"mediaId": media},
            {"mediaId": media[1:], "mediaType": ["video"]},
            {"tag": ["told"]},
            {"referrer": ["", "https://b.example/"]},
        )
    )
    own = draw.choice(("country", "device-type", "browser", "media-id", "referrer"))
    of_all = replace(question(draw, media), filters=filters, unique=False)
    return of_all, kind, "ccv-peak", own if kind == "breakdown" else ""


def pair(draw: random.Random, media: list[str]) -> tuple[Question, str, str, str]:
    """Of media or pages, and of what else viewers are told apart by."""
    filters: dict[str, list[str]]
    own, filters = draw.choice(
        (
            ("media-id", {"country": ["FR", "BR"]}),
            ("media-id", {"deviceType": ["tv"], "continent": ["EU"]}),
            ("media-id", {"tag": ["told"], "browser": ["chrome"]}),
            ("media-id", {"mediaType": ["video"], "country": ["DE"]}),
            ("referrer", {"country": ["DE"]}),
            ("referrer", {"mediaType": ["video"], "referrer": [""]}),
            ("country", {"referrer": ["", "https://a.example/"]}),
            ("continent", {"tag": ["told"]}),
            ("device-type", {"referrer": ["https://a.example/"], "country": ["FR"]}),
            ("", {"tag": ["told"], "country": ["FR", "DE"]}),
        )
    )
    metric = draw.choice([each for each in _PAIRED if each in BREAKDOWNS])
    kind = "breakdown" if own else draw.choice(("number", "series"))
    return replace(question(draw, media), filters=filters), kind, metric, own


async def answers(
    db: Database, project_id: UUID, asked: list[tuple[Question, str, str, str]]
) -> list[Any]:
    found: list[Any] = []
    async with db.transaction() as tx:
        for each, kind, metric, dimension in asked:
            figures = Figures(project_id, each, NOW, dimension, series=kind == "series")
            if kind == "number":
                found.append(pytest.approx(await figures.number(tx, metric), rel=1e-9))
            else:
                _, rows = await figures.page(tx, metric, Page(1, 100))
                found.append(pytest.approx(dict(rows), rel=1e-9))
    return found


def questions(draw: random.Random, media: list[str]) -> list[tuple[Question, str, str, str]]:
    """Every metric in every form, some times over."""
    numbers = sorted(set(NUMBERS.values()) - {"play-total"})
    dimensions = [each for each in rollups.DIMENSIONS if each]
    of_one = {RENDITION: ["720p"]}
    return [
        *((question(draw, media), "breakdown", each, RENDITION) for each in QUALITY),
        *((replace(question(draw, media), filters=of_one), "number", each, "") for each in QUALITY),
        *((replace(question(draw, media), filters=of_one), "series", each, "") for each in QUALITY),
        *((question(draw, media), "number", each, "") for _ in range(6) for each in numbers),
        *((question(draw, media), "series", each, "") for _ in range(6) for each in SERIES),
        *(peak(draw, media, kind) for _ in range(8) for kind in ("number", "series", "breakdown")),
        *(pair(draw, media) for _ in range(20)),
        *(
            (question(draw, media), "breakdown", each, draw.choice(dimensions))
            for _ in range(10)
            for each in BREAKDOWN_METRICS
        ),
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_rollups_change_no_number(
    client: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    draw = random.Random(seed)
    media = [await make_video(client, "watched", tags=tags) for tags in ([], ["told"], ["told"])]
    monkeypatch.setattr(clock, "now", lambda: NOW)
    await AnalyticsStore(db).add([arrival(draw, number, media) for number in range(250)])
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE project SET created_at = '2026-01-01'"))
        project_id = await tx.scalar(text("SELECT project_id FROM playback LIMIT 1"))
    for ago_h in range(24 * DAYS, -1, -5):  # most are over, in one hour or another
        await close(db, NOW - timedelta(hours=ago_h, minutes=20))
    asked = questions(draw, media)
    before = await answers(db, project_id, asked)
    rolled = await rollups.roll_up(db, NOW, NOW - timedelta(days=DAYS + 1))
    assert rolled >= 24 * DAYS
    assert await quality_rollups.roll_up(db, NOW, NOW - timedelta(days=DAYS + 1)) > 0
    after = await answers(db, project_id, asked)
    for each, expected, found in zip(asked, before, after, strict=True):
        assert found == expected.expected, each
    # Somebody tells of an hour that is over: it does not count as it was any more.
    late = [arrival(draw, number, media) for number in range(200, 260)]
    await AnalyticsStore(db).add(late)
    changed = await answers(db, project_id, asked)
    async with db.transaction() as tx:
        assert await tx.scalar(text("SELECT max(closed_at) < '9999-01-01' FROM playback")) is False
    unrolled = await counted_anew(db, project_id, asked)
    for each, expected, found in zip(asked, unrolled, changed, strict=True):
        assert found == expected.expected, each


async def counted_anew(
    db: Database, project_id: UUID, asked: list[tuple[Question, str, str, str]]
) -> list[Any]:
    """Return what the playbacks alone answer."""
    async with db.transaction() as tx:
        await tx.execute(text("DELETE FROM play_rolled"))
        await tx.execute(text("DELETE FROM play_quality_rolled"))
    return await answers(db, project_id, asked)


async def test_a_playback_that_goes_on_is_in_the_sums_once(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    async def stalls() -> float:
        answer = await client.get("/data/metrics/rebuffer-count/average")
        return float(answer.json()["data"])

    async def summed_up() -> tuple[int | None, ...]:
        query = "SELECT sum(playbacks), sum(stall_count) FROM play_quality WHERE dimension = 0"
        async with db.transaction() as tx:
            return tuple((await tx.execute(text(query))).one())

    counts = {"st": 700, "sd": 0, "sw": 0, "er": 0}
    player = Player(client, video_id)
    await player.send(
        (7200, 1, 0), (7199, 2, 0), (7190, 4, 9), (7180, 3, 14), qoe={**counts, "sc": 2}
    )
    await pings.flush()
    now = clock.now()
    assert await close(db, now) == 1
    await quality_rollups.roll_up(db, now + timedelta(seconds=1), now - timedelta(days=2))
    assert (await summed_up(), await stalls()) == ((1, 2), 2)
    await player.send((10, 2, 20), (5, 4, 25), qoe={**counts, "sc": 5})
    await pings.flush()
    assert (await summed_up(), await stalls()) == ((0, 0), 5)
    # Closed by a worker whose clock is late: it counts all the same.
    assert await close(db, now + timedelta(hours=1)) == 1
    await quality_rollups.roll_up(db, now + timedelta(hours=2), now - timedelta(days=2))
    assert (await summed_up(), await stalls()) == ((1, 5), 5)
    await quality_rollups.forget(db, now)
    assert await summed_up() == (None, None)


async def test_nobody_closes_behind_what_is_summed_up(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    player = Player(client, video_id)
    await player.send((7200, 1, 0), (7199, 2, 0), (7180, 3, 14), qoe={"st": 700, "er": 1})
    await pings.flush()
    now = clock.now()
    await quality_rollups.roll_up(db, now + timedelta(hours=1), now - timedelta(days=2))
    assert await close(db, now) == 1
    for _ in range(2):
        answer = await client.get("/data/metrics/error-rate/average")
        assert answer.json()["data"] == 1
        await quality_rollups.roll_up(db, now + timedelta(hours=2), now - timedelta(days=2))


async def test_what_plays_now_takes_no_rollup_back(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    async def marks() -> int:
        async with db.transaction() as tx:
            return await tx.scalar(select(func.count()).select_from(PlayRolled)) or 0

    player = Player(client, video_id)
    await player.send((7200, 1, 0), (7199, 2, 0), (7190, 4, 9), (7185, 3, 14), (7100, 2, 14))
    await pings.flush()
    now = clock.now()
    assert await rollups.roll_up(db, now, now - timedelta(days=2)) > 0
    rolled = await marks()
    await player.send((10, 2, 20), (5, 4, 25))
    await pings.flush()
    assert await marks() == rolled
    await player.send((7095, 4, 19), (7080, 3, 40))
    await pings.flush()
    assert await marks() < rolled
