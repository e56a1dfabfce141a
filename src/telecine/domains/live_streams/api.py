"""`/live-streams`: create, list, show, change, delete, end, and the picture of each."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from telecine import clock, ids
from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.idempotency import Once
from telecine.domains.live_streams import operations, queries
from telecine.domains.live_streams.documents import Presenter
from telecine.domains.live_streams.models import LiveStream
from telecine.domains.live_streams.queries import Listing
from telecine.domains.live_streams.schemas import (
    LiveStreamCreation,
    LiveStreamDocument,
    LiveStreamList,
    LiveStreamUpdate,
)
from telecine.domains.videos.thumbnail_api import received_jpeg
from telecine.http import pagination, query
from telecine.http.body import JsonRoute
from telecine.http.clients import strict_python
from telecine.http.query import Items
from telecine.http.schemas import PUBLIC_ID, file_body, problems
from telecine.http.services import AppServices, Services
from telecine.http.sorting import ORDERS, order_of, parameter
from telecine.problems import Problem

router = APIRouter(route_class=JsonRoute, tags=["Live Streams"])

LiveStreamId = Annotated[str, Path(alias="liveStreamId", pattern=PUBLIC_ID)]


PARAMETERS = [
    parameter("streamKey", "Only the live stream with this key."),
    parameter("name", "Only live streams whose name contains this."),
    parameter("sortBy", "What to sort by, `createdAt` by default.", queries.SORT_COLUMNS),
    parameter("sortOrder", "Ascending or, by default, descending.", ORDERS),
]


def _documents(request: Request, services: Services, *rows: LiveStream) -> list[dict[str, Any]]:
    presenter = Presenter(services.urls, services.token_key, services.sealer, clock.now())
    strict = strict_python(request.headers)
    return [presenter.live_stream(row, strict) for row in rows]


def _reply(
    request: Request, services: Services, row: LiveStream, status: int = 200
) -> JSONResponse:
    return JSONResponse(_documents(request, services, row)[0], status)


def listing_of(items: Items) -> Listing:
    """Return what a query string asks for. Raises Problem 400."""
    order = order_of(items, [*queries.SORT_COLUMNS])
    return Listing(
        name=query.single(items, "name"),
        stream_key=query.single(items, "streamKey"),
        sort_by=order.by,
        descending=order.descending,
    )


@router.get(
    "/live-streams",
    operation_id="GET_live-streams",
    summary="List all live streams",
    response_model=LiveStreamList,
    responses=problems(400),
    openapi_extra={"parameters": [*PARAMETERS, *pagination.PARAMETERS]},
)
async def list_live_streams(
    request: Request, caller: Caller, services: AppServices
) -> JSONResponse:
    """List the live streams of a project."""
    items = request.query_params.multi_items()
    listing = listing_of(items)
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        total, rows = await queries.page(tx, caller.project_id, listing, page)
    data = _documents(request, services, *rows)
    return JSONResponse(pagination.envelope(data, total, page, "/live-streams", items))


@router.post(
    "/live-streams",
    operation_id="POST_live-streams",
    summary="Create live stream",
    response_model=LiveStreamDocument,
    responses=problems(400, 409, 422),
)
async def create_live_stream(
    request: Request,
    payload: LiveStreamCreation,
    caller: Caller,
    services: AppServices,
    once: Once,
) -> JSONResponse:
    """Create a live stream, and with it the key that encoders publish with."""
    async with once.transaction() as tx:
        row = await operations.create(
            tx, caller.project_id, services.sealer, payload.columns(), payload.targets() or ()
        )
        return once.keep(_reply(request, services, row))


@router.get(
    "/live-streams/{liveStreamId}",
    operation_id="GET_live-streams-liveStreamId",
    summary="Retrieve live stream",
    response_model=LiveStreamDocument,
    responses=problems(404),
)
async def get_live_stream(
    request: Request, live_stream_id: LiveStreamId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Return a live stream."""
    async with services.db.transaction() as tx:
        row = await operations.found(tx, caller.project_id, live_stream_id)
    return _reply(request, services, row)


@router.patch(
    "/live-streams/{liveStreamId}",
    operation_id="PATCH_live-streams-liveStreamId",
    summary="Update a live stream",
    response_model=LiveStreamDocument,
    responses=problems(400, 404),
)
async def update_live_stream(
    request: Request,
    live_stream_id: LiveStreamId,
    payload: LiveStreamUpdate,
    caller: Caller,
    services: AppServices,
) -> JSONResponse:
    """Change a live stream, also while it is on the air."""
    async with services.db.transaction() as tx:
        row = await operations.update(
            tx,
            caller.project_id,
            live_stream_id,
            payload.columns(),
            sealer=services.sealer,
            targets=payload.targets(),
        )
    return _reply(request, services, row)


@router.delete(
    "/live-streams/{liveStreamId}",
    operation_id="DELETE_live-streams-liveStreamId",
    summary="Delete a live stream",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_live_stream(
    live_stream_id: LiveStreamId, caller: Caller, services: AppServices
) -> None:
    """Delete a live stream. What is on the air ends; recordings stay."""
    async with services.db.transaction() as tx:
        picture = await operations.delete(tx, caller.project_id, live_stream_id)
    if picture is not None:
        await services.store.delete([picture])


@router.put(
    "/live-streams/{liveStreamId}/complete",
    operation_id="PUT_live-streams-liveStreamId-complete",
    summary="Complete a live stream",
    status_code=202,
    response_class=Response,
    responses=problems(404),
)
async def complete_live_stream(
    live_stream_id: LiveStreamId, caller: Caller, services: AppServices
) -> Response:
    """End the event that is on the air, at once; its recording becomes a video."""
    async with services.db.transaction() as tx:
        await operations.complete(tx, caller.project_id, live_stream_id)
    return Response(status_code=202)


@router.post(
    "/live-streams/{liveStreamId}/thumbnail",
    operation_id="POST_live-streams-liveStreamId-thumbnail",
    summary="Upload a thumbnail",
    status_code=201,
    response_model=LiveStreamDocument,
    responses=problems(400, 404),
    openapi_extra=file_body("A JPEG, PNG or WebP picture of at most 8 MiB."),
)
async def upload_thumbnail(
    request: Request, live_stream_id: LiveStreamId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Show an uploaded picture while nothing is on the air."""
    async with services.db.transaction() as tx:
        await operations.found(tx, caller.project_id, live_stream_id)
    jpeg = await received_jpeg(request)
    key = f"{caller.project_id}/{live_stream_id}/thumbnail/{ids.nonce()}.jpg"
    await services.store.put(key, jpeg)
    try:
        async with services.db.transaction() as tx:
            row, replaced = await operations.set_thumbnail(
                tx, caller.project_id, live_stream_id, key
            )
    except Problem:  # deleted meanwhile
        await services.store.delete([key])
        raise
    if replaced is not None:
        await services.store.delete([replaced])
    return _reply(request, services, row, 201)


@router.delete(
    "/live-streams/{liveStreamId}/thumbnail",
    operation_id="DELETE_live-streams-liveStreamId-thumbnail",
    summary="Delete a thumbnail",
    response_model=LiveStreamDocument,
    responses=problems(404),
)
async def delete_thumbnail(
    request: Request, live_stream_id: LiveStreamId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Take the uploaded picture away."""
    async with services.db.transaction() as tx:
        row, replaced = await operations.set_thumbnail(tx, caller.project_id, live_stream_id, None)
    if replaced is not None:
        await services.store.delete([replaced])
    return _reply(request, services, row)
