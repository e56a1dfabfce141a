"""The picture that is shown before playback."""

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from telecine import ids
from telecine.domains.accounts.auth import Caller
from telecine.domains.videos import operations, pictures
from telecine.domains.videos.api import VideoId, check_version, reply
from telecine.domains.videos.schemas import ThumbnailPick, VideoDocument
from telecine.formats.pictures import BrokenPicture, NotAPicture
from telecine.http.body import JsonRoute
from telecine.http.multipart import Memory, invalid_file, receive_file
from telecine.http.preconditions import IF_MATCH
from telecine.http.schemas import file_body, problems
from telecine.http.services import AppServices
from telecine.problems import Problem, problem

router = APIRouter(route_class=JsonRoute, tags=["Videos"])

# A picture may decode to 200 MB: one at a time.
_decoding = anyio.CapacityLimiter(1)


@router.post(
    "/videos/{videoId}/thumbnail",
    operation_id="POST_videos-videoId-thumbnail",
    summary="Upload a thumbnail",
    response_model=VideoDocument,
    responses=problems(400, 404),
    openapi_extra=file_body("A JPEG, PNG or WebP picture of at most 8 MiB."),
)
async def upload_thumbnail(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Show an uploaded picture before playback."""
    async with services.db.transaction() as tx:
        await operations.found(tx, caller.project_id, video_id)
    jpeg = await received_jpeg(request)
    key = f"{caller.project_id}/{video_id}/thumbnail/{ids.nonce()}.jpg"
    await services.store.put(key, jpeg)
    try:
        async with services.db.transaction() as tx:
            row, replaced = await operations.set_thumbnail(tx, caller.project_id, video_id, key)
    except Problem:  # deleted meanwhile
        await services.store.delete([key])
        raise
    if replaced is not None:
        await services.store.delete([replaced])
    return reply(request, services, row)


async def received_jpeg(request: Request) -> bytes:
    """Return the picture of an upload as a JPEG. Raises Problem 400."""
    picture = Memory()
    await receive_file(request, picture, max_bytes=pictures.MAX_BYTES)
    data = bytes(picture.data)
    try:
        return await to_thread.run_sync(pictures.to_jpeg, data, limiter=_decoding)
    except NotAPicture:
        # The documented title names JPEG only, although PNG and WebP are accepted.
        title = "Only [jpeg, jpg, JPG, JPEG] extensions are supported."
        raise problem(400, "uploaded-file-extension-invalid", title, "file") from None
    except BrokenPicture as error:
        raise invalid_file(str(error)) from None


@router.patch(
    "/videos/{videoId}/thumbnail",
    operation_id="PATCH_videos-videoId-thumbnail",
    summary="Set a thumbnail",
    response_model=VideoDocument,
    responses=problems(400, 404, 412),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def pick_thumbnail(
    request: Request,
    video_id: VideoId,
    payload: ThumbnailPick,
    caller: Caller,
    services: AppServices,
) -> JSONResponse:
    """Show a frame of the video before playback."""
    async with services.db.transaction() as tx:
        await check_version(tx, request, caller.project_id, video_id)
        row, replaced = await operations.pick_thumbnail(
            tx, caller.project_id, video_id, payload.timecode
        )
    if replaced is not None:
        await services.store.delete([replaced])
    return reply(request, services, row)
