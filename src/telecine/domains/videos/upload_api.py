"""Files for a video: its source, its thumbnail."""

from typing import Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from telecine import ids
from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.models import Environment
from telecine.domains.videos import content_range, operations, pictures
from telecine.domains.videos.api import VideoId, reply
from telecine.domains.videos.content_range import ByteRange, PartRange
from telecine.domains.videos.operations import StoredFile
from telecine.domains.videos.schemas import ThumbnailPick, VideoDocument
from telecine.http import multipart
from telecine.http.body import JsonRoute
from telecine.http.multipart import invalid_file, receive_file
from telecine.http.schemas import problems
from telecine.http.services import AppServices
from telecine.problems import Problem, bad_request, invalid_attribute, problem

router = APIRouter(route_class=JsonRoute, tags=["Videos"])

# A picture may decode to 200 MB: one at a time.
_decoding = anyio.CapacityLimiter(1)


def _file_body(description: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary", "description": description}},
    }
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


_CONTENT_RANGE = {
    "name": content_range.NAME,
    "in": "header",
    "description": "`part 1/1`, or `bytes 0-<last>/<total>` of the whole file. This release takes "
    "a file in one request only and answers 400 to anything else.",
    "schema": {"type": "string"},
}


def _whole_range(request: Request) -> PartRange | ByteRange | None:
    """Return the range of the request. Raises Problem unless it is the whole file."""
    value = request.headers.get("content-range")
    if value is None:
        return None
    given = content_range.parse(value)
    if not given.whole:
        detail = "Uploads in several requests are not supported yet: send the file in one request."
        raise bad_request([invalid_attribute(content_range.NAME, detail)])
    return given


@router.post(
    "/videos/{videoId}/source",
    operation_id="POST_videos-videoId-source",
    summary="Upload a video",
    status_code=201,
    response_model=VideoDocument,
    responses=problems(400, 404),
    openapi_extra={
        "parameters": [_CONTENT_RANGE],
        **_file_body("The file, at most 200 MiB; its field may have any name."),
    },
)
async def upload_source(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Upload the file of a video in one request."""
    async with services.db.transaction() as tx:
        row = await operations.found(tx, caller.project_id, video_id)
        await operations.check_open(tx, row)
    given = _whole_range(request)
    key = f"{caller.project_id}/{video_id}/source/{ids.nonce()}"
    async with services.store.writer(key) as sink:
        upload = await receive_file(request, sink, max_bytes=multipart.MAX_FILE_BYTES)
        if upload.fields.get("videoId", video_id) != video_id:
            detail = "This value must be the id in the path."
            raise bad_request([invalid_attribute("videoId", detail)])
        if given is not None:
            given.check_size(upload.size_bytes)
    file = StoredFile(upload.file_name, key, upload.size_bytes)
    sandbox = caller.environment == Environment.SANDBOX
    try:
        async with services.db.transaction() as tx:
            row = await operations.attach_file(
                tx, caller.project_id, video_id, file, sandbox=sandbox
            )
    except Problem:
        # Refused before the commit. After any other error the row may be there
        # although we were not told, so the object stays for the sweep to judge.
        await services.store.delete([key])
        raise
    return reply(request, services, row, 201)


@router.post(
    "/videos/{videoId}/thumbnail",
    operation_id="POST_videos-videoId-thumbnail",
    summary="Upload a thumbnail",
    response_model=VideoDocument,
    responses=problems(400, 404),
    openapi_extra=_file_body("A JPEG, PNG or WebP picture of at most 8 MiB."),
)
async def upload_thumbnail(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Show an uploaded picture before playback."""
    async with services.db.transaction() as tx:
        await operations.found(tx, caller.project_id, video_id)
    picture = _Memory()
    await receive_file(request, picture, max_bytes=pictures.MAX_BYTES)
    key = f"{caller.project_id}/{video_id}/thumbnail/{ids.nonce()}.jpg"
    await services.store.put(key, await _jpeg(bytes(picture.data)))
    try:
        async with services.db.transaction() as tx:
            row, replaced = await operations.set_thumbnail(tx, caller.project_id, video_id, key)
    except Problem:  # deleted meanwhile
        await services.store.delete([key])
        raise
    if replaced is not None:
        await services.store.delete([replaced])
    return reply(request, services, row)


async def _jpeg(data: bytes) -> bytes:
    try:
        return await to_thread.run_sync(pictures.to_jpeg, data, limiter=_decoding)
    except pictures.NotAPicture:
        # The documented title names JPEG only, although PNG and WebP are accepted.
        title = "Only [jpeg, jpg, JPG, JPEG] extensions are supported."
        raise problem(400, "uploaded-file-extension-invalid", title, "file") from None
    except pictures.BrokenPicture as error:
        raise invalid_file(str(error)) from None


class _Memory:
    """A sink for small files."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, data: bytes) -> None:
        """Append bytes."""
        self.data += data


@router.patch(
    "/videos/{videoId}/thumbnail",
    operation_id="PATCH_videos-videoId-thumbnail",
    summary="Set a thumbnail",
    response_model=VideoDocument,
    responses=problems(400, 404),
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
        row, replaced = await operations.pick_thumbnail(
            tx, caller.project_id, video_id, payload.timecode
        )
    if replaced is not None:
        await services.store.delete([replaced])
    return reply(request, services, row)
