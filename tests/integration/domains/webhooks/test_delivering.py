import hmac
import json
from typing import Any

import pytest
from sqlalchemy import select, text

from telecine.db.engine import Database
from telecine.domains.webhooks import operations, outbox, signing
from telecine.domains.webhooks.events import QUALITY_COMPLETED, DeliveryState
from telecine.domains.webhooks.models import Webhook
from tests.fixtures.application import ProjectKeys
from tests.fixtures.origin import Answer, Asked
from tests.fixtures.waiting import until
from tests.integration.domains.webhooks.telling import (
    SEALER,
    announce,
    deliveries,
    delivering,
    hurry,
    receiving,
    states,
    subscribe,
)

pytestmark = pytest.mark.anyio


async def test_a_webhook_is_told_in_the_documented_form(db: Database, project: ProjectKeys) -> None:
    async with receiving() as receiver, delivering(db):
        url = receiver.origin.url("/notify?my=query")
        webhook_id = await subscribe(db, project.production_id, url)
        await announce(db, project.production_id, "vi1", 1)

        async def told() -> bool:
            return await states(db) == [DeliveryState.DELIVERED]

        await until(told)
    (asked,) = receiver.origin.asked
    assert (asked.method, asked.target) == ("POST", "/notify?my=query")
    body = json.loads(asked.body)
    assert list(body) == ["type", "emittedAt", "videoId", "n"]
    assert b" " not in asked.body.replace(body["emittedAt"].encode(), b"")
    async with db.transaction() as tx:
        row = (await tx.scalars(select(Webhook))).one()
    secret = SEALER.open(row.secret, webhook_id)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-api-video-webhookid"] == webhook_id
    expected = hmac.digest(secret.encode(), asked.body, "sha256").hex()
    assert asked.headers["x-api-video-signature"] == expected
    (delivery,) = await deliveries(db)
    assert asked.headers["x-telecine-delivery"] == str(delivery.id)
    assert asked.headers["x-telecine-event"] == str(delivery.event_id)
    assert (delivery.status, delivery.attempts, delivery.error) == (202, 1, None)


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_what_is_not_accepted_is_sent_again_in_the_same_bytes(
    db: Database, project: ProjectKeys, status: int
) -> None:
    async with receiving() as receiver, delivering(db):
        elsewhere = {"Location": receiver.origin.url("/elsewhere")}

        def twice_not(_: Asked) -> Answer:
            return Answer(status if len(receiver.origin.asked) < 3 else 200, headers=elsewhere)

        receiver.answer = twice_not
        await subscribe(db, project.production_id, receiver.origin.url("/here"))
        await announce(db, project.production_id, "vi1", 1)
        for attempt in (1, 2, 3):

            async def tried(attempt: int = attempt) -> bool:
                rows = await deliveries(db)
                return bool(rows) and rows[0].attempts >= attempt and rows[0].owner is None

            await until(tried)
            (waiting,) = await deliveries(db)
            if waiting.state == DeliveryState.WAITING:  # a busy machine may look after the pause
                assert waiting.tried_at is not None
                assert (waiting.next_at - waiting.tried_at).total_seconds() > 2.5
                await hurry(db)
    assert await states(db) == [DeliveryState.DELIVERED]
    asked = receiver.origin.asked
    assert [each.target for each in asked] == ["/here"] * 3
    assert len({each.body for each in asked}) == 1
    for name in ("x-api-video-signature", "x-telecine-delivery", "x-telecine-event"):
        assert len({each.headers[name] for each in asked}) == 1


async def test_events_of_a_video_arrive_in_order_whatever_fails(
    db: Database, project: ProjectKeys
) -> None:
    async with receiving() as receiver, delivering(db):
        refused: set[bytes] = set()

        def first_not(asked: Asked) -> Answer:
            if asked.body in refused:
                return Answer(200)
            refused.add(asked.body)
            return Answer(503)

        receiver.answer = first_not
        await subscribe(db, project.production_id, receiver.origin.url())
        await announce(db, project.production_id, "vi1", *range(6))
        await announce(db, project.production_id, "vi2", *range(6))

        async def all_told() -> bool:
            await hurry(db)
            found = await states(db)
            return len(found) == 12 and set(found) == {DeliveryState.DELIVERED}

        await until(all_told)
        assert receiver.heard("vi1") == [*range(6)]
        assert receiver.heard("vi2") == [*range(6)]


async def test_private_addresses_are_not_asked_and_the_log_says_so(
    db: Database, project: ProjectKeys
) -> None:
    async with receiving() as receiver, delivering(db, "10.0.0.0/8"):
        await subscribe(db, project.production_id, receiver.origin.url())
        await announce(db, project.production_id, "vi1", 1)

        async def tried() -> bool:
            return any(row.error for row in await deliveries(db))

        await until(tried)
        (row,) = await deliveries(db)
        assert row.state == DeliveryState.WAITING
        assert "127.0.0.1" in (row.error or "")
        assert receiver.origin.asked == []


async def test_what_nobody_foresaw_costs_one_attempt(
    db: Database, project: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One webhook that breaks each time stops nobody else's."""

    def fail(_: Any) -> bytes:
        raise KeyError("nobody foresaw it")

    async with receiving() as receiver, delivering(db):
        await subscribe(db, project.production_id, receiver.origin.url())
        with monkeypatch.context() as patched:
            patched.setattr(signing, "body_of", fail)
            await announce(db, project.production_id, "vi1", 1)

            async def tried() -> bool:
                return any(row.error for row in await deliveries(db))

            await until(tried)
            (row,) = await deliveries(db)
            assert (row.state, row.error) == (DeliveryState.WAITING, "KeyError in the server")

        async def told() -> bool:
            await hurry(db)
            return await states(db) == [DeliveryState.DELIVERED]

        await until(told)


async def test_no_reader_misses_an_event_of_a_long_transaction(
    db: Database, project: ProjectKeys
) -> None:
    async with receiving() as receiver, delivering(db):
        await subscribe(db, project.production_id, receiver.origin.url())
        async with db.transaction() as late:
            members: dict[str, Any] = {"videoId": "late", "n": 0}
            await operations.announce(
                late, project.production_id, QUALITY_COMPLETED, "late", members
            )
            await late.flush()
            for number in range(100):
                await announce(db, project.production_id, f"vi{number}", 1)

            async def looked() -> bool:  # the deliverer may be looking; then it is not our turn
                async with db.transaction() as tx:
                    found = await outbox.fan_out(tx)
                assert not found.moved
                return found.hidden

            await until(looked)
            # All others come behind it, and it may still come.
            assert await deliveries(db) == []

        async def all_told() -> bool:
            found = await states(db)
            return len(found) == 101 and set(found) == {DeliveryState.DELIVERED}

        await until(all_told)
        assert receiver.heard("late") == [0]
        assert (await deliveries(db))[0].media_id == "late"


async def test_a_worker_that_dies_leaves_its_attempt_to_another(
    db: Database, project: ProjectKeys
) -> None:
    async with receiving() as receiver:
        await subscribe(db, project.production_id, receiver.origin.url())
        await announce(db, project.production_id, "vi1", 1)

        async def fanned_out() -> bool:
            async with db.transaction() as tx:
                await outbox.fan_out(tx)
            return len(await deliveries(db)) == 1

        await until(fanned_out)
        async with db.transaction() as tx:
            lease = operations.KEEP_TRYING  # the dead one's, long
            claims = await outbox.claim(tx, "dead", lease, {}, per_host=8, limit=8)
        assert len(claims) == 1
        async with delivering(db):
            async with db.transaction() as tx:
                assert not await outbox.claim(tx, "me", lease, {}, per_host=8, limit=8)
            async with db.transaction() as tx:
                await tx.execute(text("UPDATE delivery SET lease_until = now()"))

            async def told() -> bool:
                return await states(db) == [DeliveryState.DELIVERED]

            await until(told)
        assert receiver.heard("vi1") == [1]


async def test_only_what_happens_from_now_on_in_the_own_project(
    db: Database, project: ProjectKeys
) -> None:
    async with receiving() as receiver, delivering(db):
        await announce(db, project.production_id, "before", 1)
        webhook_id = await subscribe(db, project.production_id, receiver.origin.url())
        await announce(db, project.sandbox_id, "sandbox", 1)
        await announce(db, project.production_id, "after", 1)

        async def told() -> bool:
            return bool(receiver.bodies)

        await until(told)
        async with db.transaction() as tx:
            await operations.delete_webhook(tx, project.production_id, webhook_id)
        await announce(db, project.production_id, "deleted", 1)

        async def passed() -> bool:  # the cursor has gone by
            async with db.transaction() as tx:
                found = await outbox.fan_out(tx)
            return not found.moved and not found.hidden

        await until(passed)
    assert [body["videoId"] for body in receiver.bodies] == ["after"]
