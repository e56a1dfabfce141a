"""`POST /upload`: files from whoever knows an upload token."""

import re

from fastapi import APIRouter, Request, Response

from telecine import clock
from telecine.domains.accounts import auth
from telecine.domains.uploads import content_range, delegated, tokens_queries
from telecine.domains.uploads.api import CONTENT_RANGE, answer, has_room
from telecine.domains.uploads.reception import VIDEO_ID, Visit, invalid_token
from telecine.domains.uploads.room import Allowance
from telecine.domains.uploads.tokens_queries import Bearer
from telecine.domains.videos.schemas import VideoDocument
from telecine.http import query
from telecine.http.body import JsonRoute
from telecine.http.schemas import PUBLIC_ID, file_body, problems
from telecine.http.services import AppServices, Services
from telecine.problems import problem

router = APIRouter(route_class=JsonRoute, tags=["Videos"])

_TOKEN = {
    "name": "token",
    "in": "query",
    "description": "The upload token. It is all that is needed: credentials are ignored.",
    "required": True,
    "schema": {"type": "string"},
}
_VIDEO_ID = {
    "type": "string",
    "description": "The id that the first request was answered with, or that of an existing "
    "video without a file. It may stand before or behind the file.",
}
_MARKS = ("user-agent", "av-origin-client")
"""Headers by which clients at one address are told apart."""


async def _bearer(request: Request, services: Services) -> Bearer:
    """Return whose token the request carries. Raises Problem 401, 403 or 429."""
    token = query.single(request.query_params.multi_items(), "token")
    if token is None:
        title = "The upload token is missing."
        raise problem(401, "authentication-missing-upload-token", title, "token")
    bearer = None
    if re.fullmatch(PUBLIC_ID, token):
        async with services.db.transaction() as tx:
            bearer = await tokens_queries.bearer(tx, token, clock.now())
    if bearer is None:
        raise invalid_token()
    if bearer.suspended:
        raise auth.suspended_account()
    auth.count(request, services, bearer.identity)
    return bearer


@router.post(
    "/upload",
    operation_id="POST_upload",
    summary="Upload with an delegated upload token",
    status_code=201,
    response_model=VideoDocument,
    responses=problems(400, 403, 404),
    openapi_extra={
        "security": [],
        "parameters": [_TOKEN, CONTENT_RANGE],
        **file_body(
            "The file or a part of it, at most 200 MiB; its field may have any name.",
            {VIDEO_ID: _VIDEO_ID},
        ),
    },
)
async def upload(request: Request, services: AppServices) -> Response:
    """Upload the file of a video, which is made of it unless `videoId` names one."""
    bearer = await _bearer(request, services)
    allowance = Allowance.of(bearer.identity)
    await has_room(request, services, allowance, None)
    address = "" if request.client is None else request.client.host
    client = (address, *(request.headers.get(mark, "") for mark in _MARKS))
    visit = Visit(bearer, client, content_range.header_of(request.headers), allowance)
    arrived = await delegated.receive(request, services, visit)
    return answer(request, services, arrived)
