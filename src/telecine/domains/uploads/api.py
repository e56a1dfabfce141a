"""`POST /videos/{videoId}/source`: a file in one request, in parts, or in byte ranges."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.models import Environment
from telecine.domains.sources import operations as sources
from telecine.domains.uploads import content_range, ranged
from telecine.domains.uploads.ranged import Arrived, Target
from telecine.domains.uploads.room import Allowance, Need, check_room
from telecine.domains.videos import legacy
from telecine.domains.videos.api import VideoId, reply
from telecine.domains.videos.queries import VideoRow
from telecine.domains.videos.schemas import VideoDocument
from telecine.http.acknowledged import Acknowledged
from telecine.http.body import JsonRoute
from telecine.http.clients import strict_python
from telecine.http.schemas import file_body, problems
from telecine.http.services import AppServices, Services
from telecine.problems import Problem

router = APIRouter(route_class=JsonRoute, tags=["Videos"])

CONTENT_RANGE: dict[str, Any] = {
    "name": content_range.NAME,
    "in": "header",
    "description": "Which part of the file this request carries: `part <part>/<total_parts>` or "
    "`bytes <from_byte>-<to_byte>/<total_bytes>`, the total being `*` while it is unknown. "
    "Parts may come in any order and at the same time; all but the last have 5 MiB or more.",
    "schema": {"type": "string"},
}


@router.post(
    "/videos/{videoId}/source",
    operation_id="POST_videos-videoId-source",
    summary="Upload a video",
    status_code=201,
    response_model=VideoDocument,
    responses=problems(400, 404),
    openapi_extra={
        "parameters": [CONTENT_RANGE],
        **file_body("The file or a part of it, at most 200 MiB; its field may have any name."),
    },
)
async def upload_source(
    request: Request, video_id: VideoId, caller: Caller, services: AppServices
) -> Response:
    """Upload the file of a video, whole or part by part."""
    sandbox = caller.environment == Environment.SANDBOX
    target = Target(caller.project_id, video_id, sandbox, Allowance.of(caller))
    await has_room(request, services, target.allowance, target)
    arrived = await ranged.receive(request, services, target)
    return answer(request, services, arrived)


async def has_room(
    request: Request, services: Services, allowance: Allowance, target: Target | None
) -> None:
    """Raise Problem unless there is room for what a request announces.

    `target` is None where the video is not known yet: then what begins the file is first.
    """
    header = content_range.header_of(request.headers)
    given = content_range.parsed(header)
    length = request.headers.get("content-length", "")
    request_bytes = int(length) if length.isascii() and length.isdigit() else 0
    need = Need.of(request_bytes, given)
    if target is None:
        await check_room(services, allowance, need, first=given is None or given.is_first)
        return
    try:
        await check_room(services, allowance, need, first=True)
    except Problem:
        # That there is no such video comes first. Of one that is begun the rest may fit.
        begun = await ranged.is_begun(services, target)
        if begun and await ranged.repeats(services, target, header):
            return
        if not begun or not need.grows:
            raise
        await check_room(services, allowance, need, first=False)


def answer(request: Request, services: Services, arrived: Arrived) -> Response:
    """Return the video; once the client has it, it knows that the part is stored."""

    async def note() -> None:
        async with services.db.statement() as tx:
            await sources.mark_answered(tx, arrived.source_id, arrived.number)

    return Acknowledged(_document(request, services, arrived.row), note)


def _document(request: Request, services: Services, row: VideoRow) -> JSONResponse:
    given = content_range.parsed(content_range.header_of(request.headers))
    if given is not None and given.total is None and strict_python(request.headers) is not None:
        return JSONResponse(legacy.video_id(row.public_id), 201)
    return reply(request, services, row, 201)
