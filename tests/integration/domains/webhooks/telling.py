"""A receiver of webhooks, and the deliverer that tells it what happened."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from telecine.db.engine import Database
from telecine.db.notify import Listener
from telecine.domains.webhooks import operations
from telecine.domains.webhooks.delivering import Deliverer
from telecine.domains.webhooks.events import QUALITY_COMPLETED
from telecine.domains.webhooks.models import Delivery
from telecine.net.client import OutboundClient
from telecine.net.policy import OutboundPolicy
from telecine.sealing import Sealer
from tests.fixtures.origin import Answer, Asked, Origin, serving

SEALER = Sealer(["s" * 32])


@dataclass
class Receiver:
    """`answer` decides what every request gets; `bodies` are those that were accepted."""

    origin: Origin
    answer: Callable[[Asked], Answer] = lambda _: Answer(202)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, asked: Asked) -> Answer:
        answer = self.answer(asked)
        if 200 <= answer.status < 300:
            self.bodies.append(json.loads(asked.body))
        return answer

    def heard(self, media_id: str) -> list[int]:
        return [body["n"] for body in self.bodies if body["videoId"] == media_id]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    found: list[Receiver] = []

    def handler(asked: Asked) -> Answer:
        return found[0].hear(asked)

    async with serving(handler) as origin:
        found.append(Receiver(origin))
        yield found[0]


@asynccontextmanager
async def delivering(db: Database, *allow: str) -> AsyncIterator[Deliverer]:
    """Deliver as a worker process does, woken by the database."""
    policy = OutboundPolicy.of(allow or ("127.0.0.1/32",))
    listener = Listener(db.url)
    async with OutboundClient(policy) as client, asyncio.TaskGroup() as group:
        deliverer = Deliverer(db, client, SEALER)
        listener.subscribe(operations.EVENTS, lambda _: deliverer.wake())
        tasks = [group.create_task(listener.run()), group.create_task(deliverer.run())]
        try:
            yield deliverer
        finally:
            for task in tasks:
                task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)


async def subscribe(db: Database, project_id: UUID, url: str, *events: str) -> str:
    async with db.transaction() as tx:
        row = await operations.create_webhook(
            tx, project_id, url, events or (QUALITY_COMPLETED,), SEALER, 100
        )
        return row.public_id


async def announce(db: Database, project_id: UUID, media_id: str, *numbers: int) -> None:
    """Announce events, each in a transaction of its own."""
    for number in numbers:
        async with db.transaction() as tx:
            members = {"videoId": media_id, "n": number}
            await operations.announce(tx, project_id, QUALITY_COMPLETED, media_id, members)


async def deliveries(db: Database) -> list[Delivery]:
    async with db.transaction() as tx:
        return list(await tx.scalars(select(Delivery).order_by(Delivery.position)))


async def states(db: Database) -> list[str]:
    return [row.state for row in await deliveries(db)]


async def hurry(db: Database) -> None:
    """End the pauses between attempts, as if their time had passed.

    Of those that nobody is about to change: he and we would wait for each other.
    """
    pauses = "SELECT id FROM delivery WHERE state = 'waiting' FOR UPDATE SKIP LOCKED"
    async with db.transaction() as tx:
        await tx.execute(text(f"UPDATE delivery SET next_at = now() WHERE id IN ({pauses})"))
        await tx.execute(text(f"SELECT pg_notify('{operations.EVENTS}', '')"))
