"""`/videos/{videoId}/captions`: list, upload, show, change, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from telecine.domains.accounts.auth import Caller
from telecine.domains.captions import languages, operations, queries, receiving
from telecine.domains.captions.models import Caption
from telecine.domains.captions.schemas import CaptionDocument, CaptionList, CaptionUpdate
from telecine.domains.videos import operations as videos
from telecine.domains.videos.api import VideoId, presenter_of
from telecine.domains.videos.queries import VideoRow
from telecine.http import pagination
from telecine.http.body import JsonRoute
from telecine.http.clients import strict_python
from telecine.http.schemas import file_body, problems
from telecine.http.services import AppServices, Services

router = APIRouter(route_class=JsonRoute, tags=["Captions"])

Language = Annotated[str, Path(description="An IETF language tag, such as `fr` or `pt-BR`.")]


def document(request: Request, services: Services, video: VideoRow, row: Caption) -> dict[str, Any]:
    """Return a caption in the form that this client can read."""
    shown: dict[str, Any] = {
        "uri": f"/videos/{video.public_id}/captions/{row.language}",
        "src": f"{presenter_of(services).folder(video)}/captions/{row.language}.vtt",
        "srclang": row.language,
        "languageName": languages.names()[row.language],
        "default": row.is_default,
    }
    if strict_python(request.headers) is not None:
        del shown["languageName"]
    return shown


@router.get(
    "/videos/{videoId}/captions",
    operation_id="GET_videos-videoId-captions",
    summary="List video captions",
    response_model=CaptionList,
    responses=problems(400, 404),
    openapi_extra={"parameters": pagination.PARAMETERS},
)
async def list_captions(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> JSONResponse:
    """List the captions of a video, by language."""
    items = request.query_params.multi_items()
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        video = await videos.found(tx, caller.project_id, video_id)
        total, rows = await queries.page(tx, Caption, caller.project_id, video.id, page)
    data = [document(request, services, video, row) for row in rows]
    path = f"/videos/{video_id}/captions"
    return JSONResponse(pagination.envelope(data, total, page, path, items))


@router.post(
    "/videos/{videoId}/captions/{language}",
    operation_id="POST_videos-videoId-captions-language",
    summary="Upload a caption",
    response_model=CaptionDocument,
    responses=problems(400, 404, 507),
    openapi_extra=file_body(receiving.DESCRIPTION),
)
async def upload_caption(
    request: Request, video_id: VideoId, language: Language, caller: Caller, services: AppServices
) -> JSONResponse:
    """Upload the captions of a video in a language; those that are there are replaced."""
    video, row = await receiving.receive(
        request, services, Caption, caller.project_id, video_id, language
    )
    return JSONResponse(document(request, services, video, row))


@router.get(
    "/videos/{videoId}/captions/{language}",
    operation_id="GET_videos-videoId-captions-language",
    summary="Retrieve a caption",
    response_model=CaptionDocument,
    responses=problems(400, 404),
)
async def get_caption(
    request: Request, video_id: VideoId, language: Language, caller: Caller, services: AppServices
) -> JSONResponse:
    """Return the captions of a video in a language."""
    async with services.db.transaction() as tx:
        video, row = await operations.found(tx, Caption, caller.project_id, video_id, language)
    return JSONResponse(document(request, services, video, row))


@router.patch(
    "/videos/{videoId}/captions/{language}",
    operation_id="PATCH_videos-videoId-captions-language",
    summary="Update a caption",
    response_model=CaptionDocument,
    responses=problems(400, 404),
)
async def update_caption(
    request: Request,
    video_id: VideoId,
    language: Language,
    payload: CaptionUpdate,
    caller: Caller,
    services: AppServices,
) -> JSONResponse:
    """Make captions the ones that are shown unasked, or no longer."""
    async with services.db.transaction() as tx:
        if payload.default is None:
            video, row = await operations.found(tx, Caption, caller.project_id, video_id, language)
        else:
            video, row = await operations.set_default(
                tx, caller.project_id, video_id, language, default=payload.default
            )
    return JSONResponse(document(request, services, video, row))


@router.delete(
    "/videos/{videoId}/captions/{language}",
    operation_id="DELETE_videos-videoId-captions-language",
    summary="Delete a caption",
    status_code=204,
    response_class=Response,
    responses=problems(400, 404),
)
async def delete_caption(
    video_id: VideoId, language: Language, caller: Caller, services: AppServices
) -> None:
    """Delete the captions of a video in a language."""
    async with services.db.transaction() as tx:
        key = await operations.remove(tx, Caption, caller.project_id, video_id, language)
    await services.store.delete([key])
