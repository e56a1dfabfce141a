"""`/discarded/videos`: what was deleted and can still be restored."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator

from telecine.domains.accounts.auth import Caller
from telecine.domains.videos import listing, operations
from telecine.domains.videos.api import VideoId, listed, reply
from telecine.domains.videos.schemas import VideoDocument, VideoList
from telecine.http import pagination
from telecine.http.body import JsonRoute
from telecine.http.schemas import Wire, problems
from telecine.http.services import AppServices
from telecine.http.text import invalid

router = APIRouter(route_class=JsonRoute, tags=["Videos"])


def _false(value: object) -> bool:
    if value is not False:
        raise invalid("Value must be false.")
    return False


class DiscardedVideoUpdate(Wire):
    """Brings a discarded video back."""

    discarded: Annotated[bool, BeforeValidator(_false, json_schema_input_type=bool)]


@router.get(
    "/discarded/videos",
    operation_id="LIST-discarded-videos",
    summary="List all discarded video objects",
    response_model=VideoList,
    responses=problems(400),
    openapi_extra={"parameters": [*listing.PARAMETERS, *pagination.PARAMETERS]},
)
async def list_discarded(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """List the discarded videos of a project."""
    return await listed(request, caller, services, "/discarded/videos", discarded=True)


@router.get(
    "/discarded/videos/{videoId}",
    operation_id="GET-discarded-video",
    summary="Retrieve a discarded video object",
    response_model=VideoDocument,
    responses=problems(404),
)
async def get_discarded(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Return a discarded video; `deletesAt` tells when it goes for good."""
    async with services.db.transaction() as tx:
        row = await operations.found(tx, caller.project_id, video_id, discarded=True)
    return reply(request, services, row)


@router.patch(
    "/discarded/videos/{videoId}",
    operation_id="PATCH-discarded-video",
    summary="Update a discarded video object",
    response_model=VideoDocument,
    responses=problems(400, 404),
)
async def restore(
    request: Request,
    video_id: VideoId,
    payload: DiscardedVideoUpdate,
    caller: Caller,
    services: AppServices,
) -> JSONResponse:
    """Restore a discarded video: `discarded` is false."""
    del payload  # there is one thing that it can ask for
    async with services.db.transaction() as tx:
        row = await operations.restore_video(tx, caller.project_id, video_id)
    return reply(request, services, row)
