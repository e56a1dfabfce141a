"""Receivers that are away, hang, break off or say too much: what they are told in the end."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from telecine.db.engine import Database
from telecine.domains.webhooks import delivering as module
from telecine.domains.webhooks import operations
from telecine.domains.webhooks.events import DeliveryState
from tests.fixtures.application import ProjectKeys
from tests.fixtures.origin import Answer
from tests.fixtures.waiting import until
from tests.integration.domains.webhooks.telling import (
    announce,
    deliveries,
    delivering,
    hurry,
    receiving,
    states,
    subscribe,
)

pytestmark = pytest.mark.anyio

HOUR_S = 3600.0

# The first one waiting of each media: only these are tried.
HEADS = """
    SELECT DISTINCT ON (webhook_id, media_id) * FROM delivery WHERE state = 'waiting'
     ORDER BY webhook_id, media_id, position
"""


@dataclass
class Clock:
    """The time of deliveries. It goes on by itself, too, which is of no account here."""

    db: Database

    async def let_pass(self, length_s: float) -> None:
        """Go from attempt to attempt, and have each of them made, for so long."""
        while length_s > 0:
            step_s = min(length_s, await self._next_attempt_s())
            await self._advance(step_s)
            length_s -= step_s

    async def to_the_next_attempt(self) -> None:
        await self._advance(await self._next_attempt_s())

    async def _next_attempt_s(self) -> float:
        """Return in how many seconds somebody is tried again, once nobody is being tried."""
        due_s: list[float] = []

        async def all_pause() -> bool:
            async with self.db.transaction() as tx:
                found = await tx.execute(
                    text(
                        "SELECT min(extract(epoch FROM next_at - now())),"
                        f" bool_and(attempts > 0 AND owner IS NULL) FROM ({HEADS}) AS head"
                    )
                )
                soonest_s, idle = found.one()
            if not idle or soonest_s <= 0:
                return False
            due_s.append(float(soonest_s))
            return True

        await until(all_pause)
        return due_s[-1]

    async def _advance(self, length_s: float) -> None:
        """Move everything that is written down into the past."""
        columns = ("next_at", "give_up_at", "created_at", "tried_at")
        moved = ", ".join(f"{each} = {each} - :length" for each in columns)
        async with self.db.transaction() as tx:
            moving = text(f"UPDATE delivery SET {moved} WHERE state = 'waiting'")
            await tx.execute(moving, {"length": timedelta(seconds=length_s)})
            await tx.execute(text(f"SELECT pg_notify('{operations.EVENTS}', '')"))


async def test_a_receiver_that_was_down_for_hours_gets_everything_in_order(
    db: Database, project: ProjectKeys
) -> None:
    clock = Clock(db)
    async with receiving() as receiver, delivering(db):
        receiver.answer = lambda _: Answer(500)
        await subscribe(db, project.production_id, receiver.origin.url())
        await announce(db, project.production_id, "vi1", *range(20))
        await fanned_out(db, 20)
        # So that, in the end, one waits for minutes when the other is tried.
        await clock.let_pass(450)
        await announce(db, project.production_id, "vi2", *range(20))
        await fanned_out(db, 40)
        await clock.let_pass(3 * HOUR_S)
        bodies = {asked.body for asked in receiver.origin.asked}
        assert len(bodies) == 2  # of each media the first event alone
        assert len(receiver.origin.asked) >= 2 * 18
        assert await states(db) == [DeliveryState.WAITING] * 40
        receiver.answer = lambda _: Answer(200)
        await clock.to_the_next_attempt()

        async def told() -> bool:
            return set(await states(db)) == {DeliveryState.DELIVERED}

        await until(told)  # the clock stands: the first success ends all pauses
        assert receiver.heard("vi1") == [*range(20)]
        assert receiver.heard("vi2") == [*range(20)]


async def fanned_out(db: Database, count: int) -> None:
    async def there() -> bool:
        return len(await deliveries(db)) == count

    await until(there)


async def test_after_three_days_an_event_is_given_up_and_the_next_one_comes(
    db: Database, project: ProjectKeys
) -> None:
    async with receiving() as receiver, delivering(db):
        receiver.answer = lambda asked: Answer(500 if b'"n":1' in asked.body else 200)
        webhook_id = await subscribe(db, project.production_id, receiver.origin.url())
        await announce(db, project.production_id, "vi1", 1, 2)

        async def tried() -> bool:
            rows = await deliveries(db)
            return bool(rows) and rows[0].attempts >= 1 and rows[0].owner is None

        await until(tried)
        async with db.transaction() as tx:
            await tx.execute(text("UPDATE delivery SET give_up_at = now() WHERE attempts > 0"))
        await hurry(db)

        async def ended() -> bool:
            return await states(db) == [DeliveryState.FAILED, DeliveryState.DELIVERED]

        await until(ended)
        first = (await deliveries(db))[0]
        assert first.status == 500
        assert first.attempts >= 2
        receiver.answer = lambda _: Answer(200)
        async with db.transaction() as tx:
            await operations.replay(tx, webhook_id, first.id)

        async def replayed() -> bool:
            return await states(db) == [DeliveryState.DELIVERED] * 2

        await until(replayed)
    ids = {
        each.headers["x-telecine-event"] for each in receiver.origin.asked if b'"n":1' in each.body
    }
    assert ids == {str(first.event_id)}
    assert receiver.heard("vi1") == [2, 1]


async def test_a_dead_receiver_delays_nobody(db: Database, project: ProjectKeys) -> None:
    hold = asyncio.Event()
    async with receiving() as dead, receiving() as alive, delivering(db):
        dead.answer = lambda _: Answer(200, b"x" * 10, cut_after=1, hold=hold)
        await subscribe(db, project.production_id, dead.origin.url())
        for number in range(100):
            await announce(db, project.production_id, f"vi{number}", 0)

        async def hanging() -> bool:
            return len(dead.origin.asked) >= 8

        await until(hanging)
        await subscribe(db, project.production_id, alive.origin.url())
        await announce(db, project.production_id, "vi-new", 1)

        async def told() -> bool:
            return alive.heard("vi-new") == [1]

        await until(told)
        assert len(dead.origin.asked) == 8  # at a time
        hold.set()


async def test_an_answer_of_any_size_costs_two_kilobytes(
    db: Database, project: ProjectKeys
) -> None:
    async with receiving() as receiver, delivering(db):
        huge = {"Content-Length": str(2 << 30)}
        receiver.answer = lambda _: Answer(200, b"y" * 100_000, huge)
        await subscribe(db, project.production_id, receiver.origin.url())
        await announce(db, project.production_id, "vi1", 1)

        async def told() -> bool:
            return await states(db) == [DeliveryState.DELIVERED]

        await until(told)
        (row,) = await deliveries(db)
        assert row.answer == "y" * 2048


@pytest.mark.parametrize("closes", [False, True])
async def test_who_does_not_answer_is_tried_again(
    db: Database, project: ProjectKeys, monkeypatch: pytest.MonkeyPatch, *, closes: bool
) -> None:
    assert module._LIMITS.total_s == 10
    monkeypatch.setattr(module, "_LIMITS", replace(module._LIMITS, total_s=1.0))
    over = asyncio.Event()
    if closes:
        over.set()
    async with receiving() as receiver, delivering(db):
        receiver.answer = lambda _: Answer(silent_until=over)
        await subscribe(db, project.production_id, receiver.origin.url())
        await announce(db, project.production_id, "vi1", 1)

        async def given_up() -> bool:
            rows = await deliveries(db)
            return bool(rows) and rows[0].error is not None

        await until(given_up)
        (row,) = await deliveries(db)
        assert (row.state, row.status, row.answer) == (DeliveryState.WAITING, None, None)
        assert receiver.origin.asked
        receiver.answer = lambda _: Answer(200)

        async def told() -> bool:
            await hurry(db)
            return await states(db) == [DeliveryState.DELIVERED]

        await until(told)
        (row,) = await deliveries(db)
        assert (row.status, row.error) == (200, None)
        assert row.attempts >= 2
        assert len({asked.body for asked in receiver.origin.asked}) == 1
        over.set()


async def test_a_status_is_an_answer_however_its_body_goes_on(
    db: Database, project: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LIMITS", replace(module._LIMITS, total_s=1.0))
    hold = asyncio.Event()
    async with receiving() as receiver, delivering(db):
        receiver.answer = lambda _: Answer(200, b"x" * 10, cut_after=1, hold=hold)
        await subscribe(db, project.production_id, receiver.origin.url())
        await announce(db, project.production_id, "vi1", 1)

        async def told() -> bool:
            return await states(db) == [DeliveryState.DELIVERED]

        await until(told)
        (row,) = await deliveries(db)
        assert row.status == 200
        assert row.error is not None
        hold.set()
