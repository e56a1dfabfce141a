"""`/_/webhooks` and `/_/events`: what webhooks were told, and everything that happened."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse

from telecine.db.engine import Database
from telecine.domains.accounts.auth import authenticate_operator
from telecine.domains.webhooks import operations, queries
from telecine.domains.webhooks.events import DeliveryState
from telecine.domains.webhooks.models import Delivery, Event
from telecine.domains.webhooks.queries import BEGINNING, Cursor, ReadEvent
from telecine.domains.webhooks.schemas import (
    DeliveryDocument,
    DeliveryList,
    EventDocument,
    EventPage,
)
from telecine.http import pagination, query
from telecine.http.body import JsonRoute
from telecine.http.openapi import OPERATOR_TAG
from telecine.http.query import Items
from telecine.http.schemas import PUBLIC_ID, problems
from telecine.http.services import AppServices
from telecine.http.sorting import not_one_of
from telecine.problems import bad_request, invalid_attribute, not_found, out_of_range

router = APIRouter(
    route_class=JsonRoute, tags=[OPERATOR_TAG], dependencies=[Depends(authenticate_operator)]
)

WebhookId = Annotated[str, Path(alias="webhookId", pattern=PUBLIC_ID)]
DeliveryId = Annotated[UUID, Path(alias="deliveryId")]

_MOST_EVENTS = 1000
_LOOK_EVERY_S = 0.25
_BEAT_EVERY = 60  # looks without an event; proxies end connections that say nothing


def _delivery(row: Delivery, event: Event) -> DeliveryDocument:
    waiting = row.state == DeliveryState.WAITING
    return DeliveryDocument(
        delivery_id=row.id,
        event_id=event.id,
        type=event.type,
        media_id=event.media_id,
        state=row.state,
        attempts=row.attempts,
        created_at=row.created_at,
        tried_at=row.tried_at,
        next_at=row.next_at if waiting else None,
        finished_at=row.finished_at,
        response_status=row.status,
        duration_ms=row.duration_ms,
        response=row.answer,
        error=row.error,
        payload=event.payload,
    )


def _string_parameter(name: str, description: str, **schema: object) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": "string", **schema},
    }


@router.get(
    "/_/webhooks/{webhookId}/deliveries",
    responses=problems(400, 404),
    openapi_extra={
        "parameters": [
            _string_parameter("state", "Only those in this state.", enum=[*DeliveryState]),
            *pagination.PARAMETERS,
        ]
    },
)
async def list_deliveries(
    webhook_id: WebhookId, request: Request, services: AppServices
) -> DeliveryList:
    """List what a webhook was told, or is still to be told, newest first."""
    items = request.query_params.multi_items()
    page = pagination.page_of(items)
    state = query.single(items, "state")
    if state is not None and state not in [*DeliveryState]:
        raise bad_request([not_one_of("state", DeliveryState)])
    async with services.db.transaction() as tx:
        webhook = await queries.any_webhook(tx, webhook_id)
        if webhook is None:
            raise not_found("webhookId")
        total, rows = await queries.deliveries(tx, webhook, state, page)
    documents = [_delivery(*row) for row in rows]
    path = f"/_/webhooks/{webhook_id}/deliveries"
    return DeliveryList.model_validate(pagination.envelope(documents, total, page, path, items))


@router.post(
    "/_/webhooks/{webhookId}/deliveries/{deliveryId}/replay",
    status_code=202,
    responses=problems(404, 409),
)
async def replay_delivery(
    webhook_id: WebhookId, delivery_id: DeliveryId, services: AppServices
) -> DeliveryDocument:
    """Send an event again, with the ids and the bytes of the first time."""
    async with services.db.transaction() as tx:
        row = await operations.replay(tx, webhook_id, delivery_id)
        return _delivery(row, await tx.get_one(Event, row.event_id))


@router.post("/_/webhooks/{webhookId}/test", status_code=202, responses=problems(404))
async def test_webhook(webhook_id: WebhookId, services: AppServices) -> DeliveryDocument:
    """Send a `webhook.test` event; the log of deliveries tells what came of it."""
    async with services.db.transaction() as tx:
        row = await operations.send_test(tx, webhook_id)
        return _delivery(row, await tx.get_one(Event, row.event_id))


EVENT_PARAMETERS = [
    _string_parameter("after", "A cursor: only what is behind it. Default: all that is kept."),
    _string_parameter("projectId", "Only events of this project."),
    _string_parameter(
        "environment", "Only events of this environment.", enum=["production", "sandbox"]
    ),
    {
        "name": "limit",
        "in": "query",
        "description": "How many events at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": _MOST_EVENTS, "default": 100},
    },
]


@router.get(
    "/_/events",
    response_model=EventPage,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **problems(400),
    },
    openapi_extra={"parameters": EVENT_PARAMETERS},
)
async def read_events(request: Request, services: AppServices) -> EventPage | StreamingResponse:
    """Read what happened, in an order to which nothing is added afterwards.

    With `Accept: text/event-stream` as server-sent events that go on; `Last-Event-ID`
    is then the cursor of a client that connects again.
    """
    items = request.query_params.multi_items()
    streamed = "text/event-stream" in request.headers.get("accept", "")
    text = query.single(items, "after")
    if streamed:
        text = request.headers.get("last-event-id") or text
    cursor = _cursor(text)
    limit = _limit(items)
    only = {"project": query.single(items, "projectId"),
            "environment": query.single(items, "environment")}  # fmt: skip
    if streamed:
        return StreamingResponse(
            _stream(services.db, cursor, only),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
    async with services.db.transaction() as tx:
        found = await queries.events_after(tx, cursor, limit, **only)
    last = found[-1].cursor if found else cursor
    return EventPage(data=[_event(each) for each in found], next=str(last))


def _cursor(text: str | None) -> Cursor:
    if text is None:
        return BEGINNING
    try:
        return Cursor.parse(text)
    except ValueError:
        raise bad_request([invalid_attribute("after", "This value is not a cursor.")]) from None


def _limit(items: Items) -> int:
    text = query.single(items, "limit") or "100"
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= _MOST_EVENTS:
        raise bad_request([out_of_range("limit", 1, _MOST_EVENTS)])
    return int(text)


def _event(event: ReadEvent) -> EventDocument:
    return EventDocument(
        cursor=str(event.cursor),
        event_id=event.cursor.event_id,
        project_id=event.project,
        environment=event.environment,
        type=event.type,
        media_id=event.media_id,
        emitted_at=event.emitted_at,
        payload=event.payload,
    )


async def _stream(
    db: Database, cursor: Cursor, only: dict[str, str | None]
) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    silent = 0
    while True:
        async with db.transaction() as tx:
            found = await queries.events_after(tx, cursor, _MOST_EVENTS, **only)
        for event in found:
            document = _event(event).model_dump(mode="json", by_alias=True)
            data = json.dumps(document, separators=(",", ":"))
            yield f"id: {event.cursor}\nevent: {event.type}\ndata: {data}\n\n".encode()
            cursor = event.cursor
        silent = 0 if found else silent + 1
        if silent and silent % _BEAT_EVERY == 0:
            yield b": still here\n\n"
        if len(found) < _MOST_EVENTS:
            await asyncio.sleep(_LOOK_EVERY_S)
