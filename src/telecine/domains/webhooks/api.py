"""`/webhooks`: create, list, show, delete."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.idempotency import Once
from telecine.domains.webhooks import operations, queries
from telecine.domains.webhooks.events import PUBLIC
from telecine.domains.webhooks.models import Webhook
from telecine.domains.webhooks.schemas import WebhookCreation, WebhookDocument, WebhookList
from telecine.http import pagination, query
from telecine.http.body import JsonRoute
from telecine.http.clients import is_official, strict_python
from telecine.http.schemas import PUBLIC_ID, problems
from telecine.http.services import AppServices
from telecine.http.text import atom
from telecine.net.errors import Refused
from telecine.net.policy import OutboundPolicy
from telecine.net.resolve import check_spelled_address
from telecine.problems import bad_request, invalid_attribute, not_found
from telecine.sealing import Sealer

router = APIRouter(route_class=JsonRoute, tags=["Webhooks"])

WebhookId = Annotated[str, Path(alias="webhookId", pattern=PUBLIC_ID)]

PARAMETERS = [
    {
        "name": "events",
        "in": "query",
        "description": "Only webhooks that are told of this event.",
        "schema": {"type": "string"},
    },
]


def document(row: Webhook, sealer: Sealer, request: Request) -> dict[str, Any]:
    """Return a webhook as this client can read it.

    Official clients type `events` as an enum: they are not shown the names that are ours.
    """
    events = [*row.events]
    if is_official(request.headers):
        events = [event for event in events if event in PUBLIC]
    shown = {
        "webhookId": row.public_id,
        "createdAt": atom(row.created_at),
        "events": events,
        "url": row.url,
        "signatureSecret": sealer.open(row.secret, row.public_id),
    }
    if strict_python(request.headers) is not None:
        del shown["signatureSecret"]
    return shown


def check_address(url: str, policy: OutboundPolicy) -> None:
    """Refuse a URL whose host spells an address that is never asked.

    Names are looked up at each delivery, and refused then: what they lead to may change.

    Raises:
        Problem: 400, the address is not public, and the operator does not allow it.
    """
    try:
        check_spelled_address(urlsplit(url).hostname or "", policy)
    except Refused as refused:
        raise bad_request([invalid_attribute("url", str(refused))]) from None


@router.get(
    "/webhooks",
    operation_id="LIST-webhooks",
    summary="List all webhooks",
    response_model=WebhookList,
    responses=problems(400),
    openapi_extra={"parameters": [*PARAMETERS, *pagination.PARAMETERS]},
)
async def list_webhooks(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """List the webhooks of a project, newest first."""
    items = request.query_params.multi_items()
    page = pagination.page_of(items)
    events = query.string_array(items, "events")
    async with services.db.transaction() as tx:
        total, rows = await queries.page(
            tx, caller.project_id, events[-1] if events else None, page
        )
    data = [document(row, services.sealer, request) for row in rows]
    return JSONResponse(pagination.envelope(data, total, page, "/webhooks", items))


@router.post(
    "/webhooks",
    operation_id="POST-webhooks",
    summary="Create Webhook",
    status_code=201,
    response_model=WebhookDocument,
    responses=problems(400, 409, 422),
)
async def create_webhook(
    request: Request, caller: Caller, once: Once, services: AppServices, payload: WebhookCreation
) -> JSONResponse:
    """Be told of events. Of each there is one request, repeated until it is accepted."""
    check_address(payload.url, services.outbound)
    limit = caller.settings.get("max_webhooks") or operations.MAX_WEBHOOKS
    async with once.transaction() as tx:
        row = await operations.create_webhook(
            tx, caller.project_id, payload.url, payload.events, services.sealer, limit
        )
        return once.keep(JSONResponse(document(row, services.sealer, request), 201))


@router.get(
    "/webhooks/{webhookId}",
    operation_id="GET-Webhook",
    summary="Show Webhook details",
    response_model=WebhookDocument,
    responses=problems(404),
)
async def get_webhook(
    webhook_id: WebhookId, request: Request, caller: Caller, services: AppServices
) -> JSONResponse:
    """Return a webhook."""
    async with services.db.transaction() as tx:
        row = await queries.webhook(tx, caller.project_id, webhook_id)
    if row is None:
        raise not_found("webhookId")
    return JSONResponse(document(row, services.sealer, request))


@router.delete(
    "/webhooks/{webhookId}",
    operation_id="DELETE-webhook",
    summary="Delete a Webhook",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_webhook(webhook_id: WebhookId, caller: Caller, services: AppServices) -> None:
    """Delete a webhook: it hears of nothing any more, of what is waiting neither."""
    async with services.db.transaction() as tx:
        await operations.delete_webhook(tx, caller.project_id, webhook_id)
