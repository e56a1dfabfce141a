"""`/videos/{videoId}/chapters`: list, upload, show, delete."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from telecine.domains.accounts.auth import Caller
from telecine.domains.captions import operations, queries, receiving
from telecine.domains.captions.api import Language
from telecine.domains.chapters.models import Chapter
from telecine.domains.chapters.schemas import ChapterDocument, ChapterList
from telecine.domains.videos import operations as videos
from telecine.domains.videos.api import VideoId, presenter_of
from telecine.domains.videos.queries import VideoRow
from telecine.http import pagination
from telecine.http.body import JsonRoute
from telecine.http.schemas import file_body, problems
from telecine.http.services import AppServices, Services

router = APIRouter(route_class=JsonRoute, tags=["Chapters"])


def document(services: Services, video: VideoRow, row: Chapter) -> dict[str, Any]:
    """Return chapters as the API shows them."""
    return {
        "uri": f"/videos/{video.public_id}/chapters/{row.language}",
        "src": f"{presenter_of(services).folder(video)}/chapters/{row.language}.vtt",
        "language": row.language,
    }


@router.get(
    "/videos/{videoId}/chapters",
    operation_id="GET_videos-videoId-chapters",
    summary="List video chapters",
    response_model=ChapterList,
    responses=problems(400, 404),
    openapi_extra={"parameters": pagination.PARAMETERS},
)
async def list_chapters(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> JSONResponse:
    """List the chapters of a video, by language."""
    items = request.query_params.multi_items()
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        video = await videos.found(tx, caller.project_id, video_id)
        total, rows = await queries.page(tx, Chapter, caller.project_id, video.id, page)
    data = [document(services, video, row) for row in rows]
    path = f"/videos/{video_id}/chapters"
    return JSONResponse(pagination.envelope(data, total, page, path, items))


@router.post(
    "/videos/{videoId}/chapters/{language}",
    operation_id="POST_videos-videoId-chapters-language",
    summary="Upload a chapter",
    response_model=ChapterDocument,
    responses=problems(400, 404, 507),
    openapi_extra=file_body(receiving.DESCRIPTION),
)
async def upload_chapter(
    request: Request, video_id: VideoId, language: Language, caller: Caller, services: AppServices
) -> JSONResponse:
    """Upload the chapters of a video in a language; those that are there are replaced."""
    video, row = await receiving.receive(
        request, services, Chapter, caller.project_id, video_id, language
    )
    return JSONResponse(document(services, video, row))


@router.get(
    "/videos/{videoId}/chapters/{language}",
    operation_id="GET_videos-videoId-chapters-language",
    summary="Retrieve a chapter",
    response_model=ChapterDocument,
    responses=problems(400, 404),
)
async def get_chapter(
    video_id: VideoId, language: Language, caller: Caller, services: AppServices
) -> JSONResponse:
    """Return the chapters of a video in a language."""
    async with services.db.transaction() as tx:
        video, row = await operations.found(tx, Chapter, caller.project_id, video_id, language)
    return JSONResponse(document(services, video, row))


@router.delete(
    "/videos/{videoId}/chapters/{language}",
    operation_id="DELETE_videos-videoId-chapters-language",
    summary="Delete a chapter",
    status_code=204,
    response_class=Response,
    responses=problems(400, 404),
)
async def delete_chapter(
    video_id: VideoId, language: Language, caller: Caller, services: AppServices
) -> None:
    """Delete the chapters of a video in a language."""
    async with services.db.transaction() as tx:
        key = await operations.remove(tx, Chapter, caller.project_id, video_id, language)
    await services.store.delete([key])
