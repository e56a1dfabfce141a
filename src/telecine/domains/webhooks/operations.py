"""Announcing events in the transaction of the change, and who wants to hear of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, select

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.webhooks import queries
from telecine.domains.webhooks.events import TEST, DeliveryState
from telecine.domains.webhooks.models import Delivery, Event, Webhook
from telecine.domains.webhooks.signing import PREFIX as SECRET_PREFIX
from telecine.problems import not_found, problem
from telecine.sealing import Sealer

EVENTS = "telecine_events"
"""NOTIFY channel: there are new events, or a delivery is due."""

PREFIX = "webhook_"

MAX_WEBHOOKS = 10
"""Webhooks of a project, unless its settings say otherwise."""

KEEP_TRYING = timedelta(hours=72)
"""For how long a receiver may be away."""


def emitted_now() -> str:
    """Return the time of an event as payloads have it."""
    return clock.now().strftime("%Y-%m-%dT%H:%M:%S+00:00")


async def announce(
    tx: Transaction,
    project_id: UUID,
    type_: str,
    media_id: str,
    members: dict[str, Any],
) -> None:
    """Write an event of a video or live stream (its public id: `media_id`).

    `members` follow `type` and `emittedAt` in the payload. The caller has locked the row
    of the media, so its events are in order.
    """
    payload = {"type": type_, "emittedAt": emitted_now(), **members}
    tx.add(Event(project_id=project_id, type=type_, media_id=media_id, payload=payload))
    await notify(tx, EVENTS, "")


async def create_webhook(
    tx: Transaction, project_id: UUID, url: str, events: Sequence[str], sealer: Sealer, limit: int
) -> Webhook:
    """Create a webhook; it hears of what happens from now on.

    Raises:
        Problem: 400, the project has `limit` webhooks.
    """
    # Counted one after the other, so that two requests at once do not pass the limit.
    number = int.from_bytes(ids.digest(f"webhooks of {project_id}")[:8], signed=True)
    await tx.execute(select(func.pg_advisory_xact_lock(number)))
    if await queries.count(tx, project_id) >= limit:
        title = "Your account has reached the webhook urls limit."
        raise problem(400, "webhook-limit-reached", title)
    public_id = ids.public_id(PREFIX)
    row = Webhook(
        project_id=project_id,
        public_id=public_id,
        url=url,
        host=urlsplit(url).netloc.rpartition("@")[2].lower(),
        events=list(dict.fromkeys(events)),
        secret=sealer.seal(ids.public_id(SECRET_PREFIX), public_id),
    )
    tx.add(row)
    await tx.flush()
    await tx.refresh(row)
    return row


async def delete_webhook(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Delete a webhook, with what it was still to be told. Raises Problem 404."""
    row = await queries.webhook(tx, project_id, public_id)
    if row is None:
        raise not_found("webhookId")
    await tx.delete(row)


async def send_test(tx: Transaction, public_id: str) -> Delivery:
    """Send an event of its own to a webhook of any project. Raises Problem 404."""
    webhook = await queries.any_webhook(tx, public_id)
    if webhook is None:
        raise not_found("webhookId")
    payload = {"type": TEST, "emittedAt": emitted_now(), "webhookId": public_id}
    event = Event(project_id=webhook.project_id, type=TEST, media_id=public_id, payload=payload)
    tx.add(event)
    await tx.flush()
    delivery = Delivery(
        project_id=webhook.project_id,
        webhook_id=webhook.id,
        event_id=event.id,
        media_id=public_id,
        host=webhook.host,
        state=DeliveryState.WAITING,
        give_up_at=clock.now() + KEEP_TRYING,
    )
    tx.add(delivery)
    await tx.flush()
    await tx.refresh(delivery)
    await notify(tx, EVENTS, "")
    return delivery


async def replay(tx: Transaction, public_id: str, delivery_id: UUID) -> Delivery:
    """Send an event again that was delivered or given up: with the same ids and bytes.

    Raises:
        Problem: 404, there is no such delivery; 409, it is still waiting.
    """
    delivery = await queries.delivery(tx, public_id, delivery_id, lock=True)
    if delivery is None:
        raise not_found("deliveryId")
    if delivery.state == DeliveryState.WAITING:
        title = "The delivery is still waiting."
        raise problem(409, "delivery-waiting", title, "deliveryId")
    delivery.state = DeliveryState.WAITING
    delivery.next_at = clock.now()
    delivery.give_up_at = clock.now() + KEEP_TRYING
    delivery.finished_at = None
    await notify(tx, EVENTS, "")
    return delivery
