"""Reads of webhooks, of what they were told, and of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import any_, func, literal, select, text

from telecine.db.engine import Transaction
from telecine.domains.webhooks.models import Delivery, Event, Webhook
from telecine.http.pagination import Page


async def count(tx: Transaction, project_id: UUID) -> int:
    """Return how many webhooks a project has."""
    rows = select(func.count()).select_from(Webhook).where(Webhook.project_id == project_id)
    return await tx.scalar(rows) or 0


async def webhook(tx: Transaction, project_id: UUID, public_id: str) -> Webhook | None:
    """Return a webhook of a project."""
    rows = select(Webhook).where(Webhook.project_id == project_id, Webhook.public_id == public_id)
    return (await tx.scalars(rows)).one_or_none()


async def any_webhook(tx: Transaction, public_id: str) -> Webhook | None:
    """Return a webhook of any project, for the operator."""
    return (await tx.scalars(select(Webhook).where(Webhook.public_id == public_id))).one_or_none()


async def page(
    tx: Transaction, project_id: UUID, event: str | None, wanted: Page
) -> tuple[int, Sequence[Webhook]]:
    """Return the number of webhooks, newest first, and those of one page.

    `event`: only those that hear of it.
    """
    listed = [Webhook.project_id == project_id]
    if event is not None:
        listed.append(literal(event) == any_(Webhook.events))
    total = await tx.scalar(select(func.count()).select_from(Webhook).where(*listed))
    rows = (
        select(Webhook)
        .where(*listed)
        .order_by(Webhook.created_at.desc(), Webhook.id.desc())
        .offset(wanted.bounded_offset)
        .limit(wanted.size)
    )
    return total or 0, (await tx.scalars(rows)).all()


async def delivery(
    tx: Transaction, public_id: str, delivery_id: UUID, *, lock: bool = False
) -> Delivery | None:
    """Return a delivery of a webhook of any project, for the operator."""
    rows = (
        select(Delivery)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Webhook.public_id == public_id, Delivery.id == delivery_id)
    )
    if lock:
        rows = rows.with_for_update(of=Delivery)
    return (await tx.scalars(rows)).one_or_none()


async def deliveries(
    tx: Transaction, webhook: Webhook, state: str | None, wanted: Page
) -> tuple[int, Sequence[tuple[Delivery, Event]]]:
    """Return the log of a webhook, newest first, for the operator."""
    listed = [Delivery.project_id == webhook.project_id, Delivery.webhook_id == webhook.id]
    if state is not None:
        listed.append(Delivery.state == state)
    total = await tx.scalar(select(func.count()).select_from(Delivery).where(*listed))
    rows = (
        select(Delivery, Event)
        .join(Event, Event.id == Delivery.event_id)
        .where(*listed)
        .order_by(Delivery.position.desc())
        .offset(wanted.bounded_offset)
        .limit(wanted.size)
    )
    return total or 0, [(row[0], row[1]) for row in await tx.execute(rows)]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between events: behind the event `event_id` of transaction `xid`."""

    xid: int
    event_id: UUID

    def __str__(self) -> str:
        return f"{self.xid:x}-{self.event_id.hex}"

    @classmethod
    def parse(cls, given: str) -> Self:
        """Read the text of a cursor. Raises ValueError."""
        xid, dash, event_id = given.partition("-")
        if not dash or len(xid) > 16 or len(event_id) != 32:
            raise ValueError("not a cursor")
        return cls(int(xid, 16), UUID(hex=event_id))


BEGINNING = Cursor(0, UUID(int=0))
"""Before all events."""


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event as its readers get it; `cursor` is behind it."""

    cursor: Cursor
    project: str
    environment: str
    type: str
    media_id: str
    payload: dict[str, Any]
    emitted_at: datetime


_READ = text(
    """
    SELECT e.xid::text::numeric, e.id, p.public_id, p.environment, e.type, e.media_id,
           e.payload, e.emitted_at
      FROM event e JOIN project p ON p.id = e.project_id
     WHERE (e.xid, e.id) > (CAST(CAST(:xid AS text) AS xid8), CAST(:event_id AS uuid))
       AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
       AND (CAST(:project AS text) IS NULL OR p.public_id = :project)
       AND (CAST(:environment AS text) IS NULL OR p.environment = :environment)
     ORDER BY e.xid, e.id LIMIT :limit
    """
)


async def events_after(
    tx: Transaction,
    cursor: Cursor,
    limit: int,
    *,
    project: str | None = None,
    environment: str | None = None,
) -> list[ReadEvent]:
    """Return the next events of all projects, or of one, in the order of transactions.

    Only those below the oldest transaction that still runs: nothing can come to stand
    before them any more.
    """
    values = {
        "xid": str(cursor.xid),
        "event_id": cursor.event_id,
        "project": project,
        "environment": environment,
        "limit": limit,
    }
    return [
        ReadEvent(Cursor(int(row[0]), row[1]), *row[2:]) for row in await tx.execute(_READ, values)
    ]
