"""`/videos`: create, list, show, change, delete."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.idempotency import Once
from telecine.domains.encodings import queries as media
from telecine.domains.videos import (
    documents,
    legacy,
    listing,
    operations,
    origins,
    queries,
    wishes,
)
from telecine.domains.videos.documents import Json, Presenter
from telecine.domains.videos.queries import VideoRow
from telecine.domains.videos.schemas import VideoCreation, VideoDocument, VideoList, VideoUpdate
from telecine.domains.videos.status_schemas import VideoStatus
from telecine.domains.videos.wishes import Wishes
from telecine.domains.watermarks import operations as watermarks
from telecine.http import pagination
from telecine.http.body import JsonRoute
from telecine.http.caller import Identity
from telecine.http.clients import strict_python
from telecine.http.preconditions import IF_MATCH, IF_NONE_MATCH, check_if_match, is_known
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
    return JSONResponse(document, status_code, version(row))


def version(row: VideoRow) -> dict[str, str]:
    """Return the headers that tell one version of a video from another.

    Browsers would send the tag of what they have kept by themselves, and go on using
    a private video's token after its time: they may keep nothing.
    """
    return {"ETag": documents.etag(row), "Cache-Control": "no-store"}


async def check_version(tx: Transaction, request: Request, project_id: UUID, video_id: str) -> None:
    """Raise Problem 412 unless a video still is what `If-Match` says; lock it then."""
    wanted = request.headers.getlist("if-match")
    if wanted:
        row = await operations.found(tx, project_id, video_id, lock=True)
        check_if_match(", ".join(wanted), documents.etag(row))


def wishes_of(payload: VideoCreation | VideoUpdate, services: Services) -> Wishes:
    """Return what a request wants to have of what is said."""
    return Wishes(
        transcript=payload.transcript,
        language=payload.language is not None,
        summary=bool(payload.transcript_summary),
        attributes=payload.transcript_summary_attributes or (),
        transcripts_possible=services.transcripts,
        summaries_possible=services.summaries,
    )


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
    return await listed(request, caller, services, "/videos")


async def listed(
    request: Request, caller: Identity, services: Services, path: str, *, discarded: bool = False
) -> JSONResponse:
    """Return a page of the videos of a project, or of the discarded ones."""
    items = request.query_params.multi_items()
    wanted = replace(listing.listing_of(items), discarded=discarded)
    page = pagination.page_of(items)
    total, rows = await queries.page(services.db, caller.project_id, wanted, page)
    presenter = presenter_of(services)
    data: list[Json] = [presenter.video(row) for row in rows]
    if strict_python(request.headers) is not None:
        data = [legacy.video(document) for document in data]
    return JSONResponse(pagination.envelope(data, total, page, path, items))


@router.post(
    "/videos",
    operation_id="POST-video",
    summary="Create a video object",
    status_code=201,
    response_model=VideoDocument,
    responses={202: {"model": VideoDocument}, **problems(400, 409, 422)},
)
async def create_video(
    request: Request, payload: VideoCreation, caller: Caller, services: AppServices, once: Once
) -> JSONResponse:
    """Create a container for a file: uploaded later, or fetched from `source` (202)."""
    async with once.transaction() as tx:
        values = payload.columns()
        if payload.watermark is not None:
            wish = payload.watermark.wish()
            values["watermarks"] = [await watermarks.burning(tx, caller.project_id, wish)]
        if payload.source is None:
            row = await operations.create_video(tx, caller.project_id, values)
        else:
            row = await origins.create_from(tx, caller.project_id, values, payload.source)
        await wishes.ask(tx, caller.project_id, row, wishes_of(payload, services))
        status = 201 if payload.source is None else 202
        return once.keep(reply(request, services, row, status))


@router.get(
    "/videos/{videoId}",
    operation_id="GET-video",
    summary="Retrieve a video object",
    response_model=VideoDocument,
    responses={**problems(404), 304: {"description": "The video is what `If-None-Match` says."}},
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
async def get_video(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> Response:
    """Return a video."""
    async with services.db.transaction() as tx:
        row = await operations.found(tx, caller.project_id, video_id)
    known = request.headers.getlist("if-none-match")
    if known and is_known(", ".join(known), documents.etag(row)):
        return Response(status_code=304, headers=version(row))
    return reply(request, services, row)


@router.patch(
    "/videos/{videoId}",
    operation_id="PATCH-video",
    summary="Update a video object",
    response_model=VideoDocument,
    responses=problems(400, 404, 409, 412),
    openapi_extra={"parameters": [IF_MATCH]},
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
        await check_version(tx, request, caller.project_id, video_id)
        row = await operations.update_video(tx, caller.project_id, video_id, payload.columns())
        await wishes.ask(tx, caller.project_id, row, wishes_of(payload, services))
    return reply(request, services, row)


@router.delete(
    "/videos/{videoId}",
    operation_id="DELETE-video",
    summary="Delete a video object",
    status_code=204,
    response_class=Response,
    responses=problems(404, 412),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def delete_video(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> None:
    """Delete a video; with the project's `videoRestore` it can be restored for a while."""
    kept = services.discarded_kept if caller.settings.get("video_restore") else None
    async with services.db.transaction() as tx:
        await check_version(tx, request, caller.project_id, video_id)
        await operations.delete_video(tx, caller.project_id, video_id, kept=kept)


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
