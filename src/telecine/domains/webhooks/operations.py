"""Announce events in the transaction of the change they tell of."""

from typing import Any
from uuid import UUID

from telecine.db.engine import Transaction
from telecine.domains.webhooks.models import Event


def announce(
    tx: Transaction, project_id: UUID, type_: str, media_id: str, payload: dict[str, Any]
) -> None:
    """Write an event of a video or live stream (its public id: `media_id`).

    The caller has locked the row of the media, so its events are in order.
    """
    tx.add(Event(project_id=project_id, type=type_, media_id=media_id, payload=payload))
