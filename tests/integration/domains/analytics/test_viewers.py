"""How many watch at the same time: the statement against counting one by one."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.analytics.questions import Question
from telecine.domains.analytics.store.figures import Figures
from telecine.domains.analytics.store.rollups import LIVE_WITHIN
from telecine.http.pagination import Page
from tests.fixtures.application import ProjectKeys

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
WITHIN_S = int(LIVE_WITHIN.total_seconds())
_INSERT = text(
    """
    INSERT INTO playback_open (id, project_id, key, opened_at, session_id, generation, media_id,
           media_type, loaded_at, last_at, watched, skew_ms, viewer, referrer, device_type, os,
           browser)
    VALUES (gen_random_uuid(), :project, decode(md5(CAST(:number AS text)), 'hex'), :low, 'ps', 2,
            'vi', 'video', :low, :high, CAST(:watched AS tstzmultirange), 0, :viewer, '',
            'computer', 'linux', :browser)
    """
)


@dataclass(frozen=True, slots=True)
class Watched:
    """When somebody watched, in seconds from an origin; closed: they were not heard to stop."""

    viewer: bytes
    browser: str
    spans: tuple[tuple[int, int, bool], ...]


def made(chance: random.Random) -> Watched:
    """Spans that do not touch, some of one moment only, some nearer to each other than 20 s."""
    spans, at = [], chance.randrange(3000)
    for _ in range(chance.randrange(1, 6)):
        closed = chance.random() < 0.5
        length = chance.choice([0, 1, 7, 60]) if closed else chance.choice([1, 7, 60])
        spans.append((at, at + length, closed))
        at += length + chance.choice([1, 5, 19, 20, 21, 100])
    viewer = bytes([chance.randrange(12)]) * 16
    return Watched(viewer, chance.choice(["chrome", "firefox"]), tuple(spans))


def seconds(one: Watched) -> set[int]:
    """Return the seconds in which somebody was there: for a while after the last sign of it."""
    found: set[int] = set()
    heard_again = [low for low, _, _ in one.spans[1:]]
    for (low, high, closed), again in zip(one.spans, [*heard_again, None], strict=True):
        gone = high + WITHIN_S if closed else high
        found |= set(range(low, gone if again is None else min(gone, again)))
    return found


def groups(all_of_them: list[Watched], by: str) -> dict[Any, list[Watched]]:
    found = defaultdict(list)
    for one in all_of_them:
        found["" if by == "" else one.browser].append(one)
    return found


def counts(them: list[Watched], times: range, *, unique: bool) -> Iterator[int]:
    """Yield how many are there in each second."""
    there: dict[Any, set[int]] = defaultdict(set)
    for number, one in enumerate(them):
        there[one.viewer if unique else number] |= seconds(one)
    for at in times:
        yield sum(at in each for each in there.values())


@pytest.mark.parametrize("seed", [1, 2])
async def test_as_many_as_there_are(db: Database, project: ProjectKeys, seed: int) -> None:
    chance = random.Random(seed)
    them = [made(chance) for _ in range(60)]
    origin = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    async with db.transaction() as tx:
        for number, one in enumerate(them):
            ranges = [
                f"[{(origin + low * SECOND).isoformat()},{(origin + high * SECOND).isoformat()}"
                + ("]" if closed else ")")
                for low, high, closed in one.spans
            ]
            await tx.execute(
                _INSERT,
                {
                    "project": project.production_id,
                    "number": number,
                    "low": origin + one.spans[0][0] * SECOND,
                    "high": origin + one.spans[-1][1] * SECOND,
                    "watched": "{" + ",".join(ranges) + "}",
                    "viewer": one.viewer,
                    "browser": one.browser,
                },
            )
        for unique in (False, True):
            await agrees(tx, project.production_id, origin, them, unique=unique)


async def agrees(
    tx: Any, project_id: UUID, origin: datetime, them: list[Watched], *, unique: bool
) -> None:
    first, last = 700, 2900
    question = Question(
        begin=origin + first * SECOND,
        end=origin + last * SECOND,
        unique=unique,
        interval="minute",
        by_value=False,
    )
    everything = Page(1, 1000)
    for by in ("", "browser"):
        figures = Figures(project_id, question, clock.now(), by)
        for metric, pick in (("ccv-peak", max), ("ccv-average", mean)):
            _, rows = await figures.page(tx, metric, everything)
            assert dict(rows) == {
                name: pytest.approx(pick(list(counts(group, range(first, last), unique=unique))))
                for name, group in groups(them, by).items()
            }
    series = Figures(project_id, question, clock.now(), series=True)
    for metric, pick in (("ccv-peak", max), ("ccv-average", mean)):
        _, rows = await series.page(tx, metric, everything)
        expected = {}
        for minute in range(first // 60, last // 60 + 1):
            times = range(max(first, minute * 60), min(last, minute * 60 + 60))
            if times and (number := pick(list(counts(them, times, unique=unique)))):
                expected[origin + minute * 60 * SECOND] = pytest.approx(number)
        assert dict(rows) == expected


def mean(numbers: list[int]) -> float:
    return sum(numbers) / len(numbers)
