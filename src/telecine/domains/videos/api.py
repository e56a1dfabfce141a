"""`/videos`: create, list, show, change, delete."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from telecine import clock
from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.idempotency import Once
from telecine.domains.encodings import queries as media
from telecine.domains.videos import documents, legacy, listing, operations, queries
from telecine.domains.videos.documents import Json, Presenter
from telecine.domains.videos.queries import VideoRow
from telecine.domains.videos.schemas import VideoCreation, VideoDocument, VideoList, VideoUpdate
from telecine.domains.videos.status_schemas import VideoStatus
from telecine.http import pagination
from telecine.http.body import JsonRoute
from telecine.http.clients import strict_python
from telecine.http.schemas import PUBLIC_ID, problems
from telecine.http.services import AppServices, Services

router = APIRouter(route_class=JsonRoute, tags=["Videos"])

VideoId = Annotated[str, Path(alias="videoId", pattern=PUBLIC_ID)]


def presenter_of(services: Services) -> Presenter:
    """Return what makes the documents of one response."""
    return Presenter(services.urls, services.token_key, clock.now())


def reply(
    request: Request, services: Services, row: VideoRow, status_code: int = 200
) -> JSONResponse:
    """Return a video in the form that this client can read."""
    document = presenter_of(services).video(row)
    if strict_python(request.headers) is not None:
        document = legacy.video(document)
    return JSONResponse(document, status_code)


@router.get(
    "/videos",
    operation_id="LIST-videos",
    summary="List all video objects",
    response_model=VideoList,
    responses=problems(400),
    openapi_extra={"parameters": [*listing.PARAMETERS, *pagination.PARAMETERS]},
)
async def list_videos(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """List the videos of a project."""
    items = request.query_params.multi_items()
    wanted = listing.listing_of(items)
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        total, rows = await queries.page(tx, caller.project_id, wanted, page)
    presenter = presenter_of(services)
    data: list[Json] = [presenter.video(row) for row in rows]
    if strict_python(request.headers) is not None:
        data = [legacy.video(document) for document in data]
    return JSONResponse(pagination.envelope(data, total, page, "/videos", items))


@router.post(
    "/videos",
    operation_id="POST-video",
    summary="Create a video object",
    status_code=201,
    response_model=VideoDocument,
    responses=problems(400, 409, 422),
)
async def create_video(
    request: Request, payload: VideoCreation, caller: Caller, services: AppServices, once: Once
) -> JSONResponse:
    """Create a container, into which a file is then uploaded."""
    async with once.transaction() as tx:
        row = await operations.create_video(tx, caller.project_id, payload.columns())
        return once.keep(reply(request, services, row, 201))


@router.get(
    "/videos/{videoId}",
    operation_id="GET-video",
    summary="Retrieve a video object",
    response_model=VideoDocument,
    responses=problems(404),
)
async def get_video(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Return a video."""
    async with services.db.transaction() as tx:
        row = await operations.found(tx, caller.project_id, video_id)
    return reply(request, services, row)


@router.patch(
    "/videos/{videoId}",
    operation_id="PATCH-video",
    summary="Update a video object",
    response_model=VideoDocument,
    responses=problems(400, 404, 409),
)
async def update_video(
    request: Request,
    video_id: VideoId,
    payload: VideoUpdate,
    caller: Caller,
    services: AppServices,
) -> JSONResponse:
    """Change a video. Absent members stay, null clears, lists are replaced."""
    async with services.db.transaction() as tx:
        row = await operations.update_video(tx, caller.project_id, video_id, payload.columns())
    return reply(request, services, row)


@router.delete(
    "/videos/{videoId}",
    operation_id="DELETE-video",
    summary="Delete a video object",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_video(video_id: VideoId, caller: Caller, services: AppServices) -> None:
    """Delete a video for good."""
    async with services.db.transaction() as tx:
        await operations.delete_video(tx, caller.project_id, video_id)


@router.get(
    "/videos/{videoId}/status",
    operation_id="GET_videos-videoId-status",
    summary="Retrieve video status and details",
    response_model=VideoStatus,
    responses=problems(404),
)
async def get_status(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Tell how far the source and the qualities of a video have come."""
    async with services.db.transaction() as tx:
        row = await operations.found(tx, caller.project_id, video_id)
        found = await media.status(tx, row.id, mp4_support=row.mp4_support)
    document = documents.status(found)
    version = strict_python(request.headers)
    return JSONResponse(document if version is None else legacy.status(document, version))
