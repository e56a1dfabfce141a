"""`/_/videos/{videoId}/source`: the file that a video is made from, as it came."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response, StreamingResponse

from telecine.domains.accounts.auth import authenticate_operator
from telecine.domains.sources.arrivals import arrival_of
from telecine.domains.sources.models import Source
from telecine.http.openapi import OPERATOR_TAG
from telecine.http.ranges import Span, Unsatisfiable, Validators, wanted_span
from telecine.http.schemas import problems
from telecine.http.services import AppServices, Services
from telecine.problems import Problem, Violation, not_found
from telecine.storage.extents import Extent, Extents

_PATH = "/_/videos/{videoId}/source"
_MEDIA_TYPE = "application/octet-stream"  # what it is, nobody vouches for

router = APIRouter(tags=[OPERATOR_TAG], dependencies=[Depends(authenticate_operator)])


@router.get(
    _PATH,
    response_class=Response,
    responses={
        200: {"content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The range that was asked for."},
        **problems(404, 416),
    },
)
async def download_source(
    video_id: Annotated[str, Path(alias="videoId")], request: Request, services: AppServices
) -> Response:
    """Download the uploaded file, unchanged; also of a video that could not be encoded.

    One `Range` of bytes is answered by 206.

    Raises:
        Problem: 404, the video is unknown or has no complete source; 416, the range lies
            behind its end.
    """
    source, file = await _found(services, video_id)
    return _answer(source, file, request)


@router.head(_PATH, include_in_schema=False)
async def describe_source(
    video_id: Annotated[str, Path(alias="videoId")], request: Request, services: AppServices
) -> Response:
    """Answer as `download_source`, without reading the file."""
    source, file = await _found(services, video_id)
    answer = _answer(source, file, request)
    return Response(status_code=answer.status_code, headers=dict(answer.headers))


async def _found(services: Services, video_id: str) -> tuple[Source, Extents]:
    async with services.db.transaction() as tx:
        arrival = await arrival_of(tx, video_id)
    if arrival is None or arrival.source.completed_at is None:
        raise not_found("videoId")
    extents = [Extent.from_json(each) for each in arrival.source.extents]
    return arrival.source, Extents(services.store, extents)


def _answer(source: Source, file: Extents, request: Request) -> Response:
    size = file.size_bytes
    validators = Validators(f'"{source.id.hex}"', source.completed_at)
    headers = {
        **validators.headers(),
        "accept-ranges": "bytes",
        "cache-control": "private, no-store",
        "content-disposition": f"attachment; filename*=UTF-8''{quote(source.file_name, safe='')}",
        "x-content-type-options": "nosniff",
    }
    span = None
    try:
        if request.method == "GET":  # ranges are of nothing else (RFC 9110, 14.2)
            span = wanted_span(request.headers, validators, size)
    except Unsatisfiable as error:
        violation = Violation("range-not-satisfiable", "The range lies behind the end.", "range")
        raise Problem(416, (violation,), {"content-range": f"bytes */{size}"}) from error
    status = 200
    if span is not None:
        status = 206
        headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    span = span or Span(0, size)
    headers["content-length"] = str(span.size)
    return StreamingResponse(_bytes(file, span), status, headers, _MEDIA_TYPE)


async def _bytes(file: Extents, span: Span) -> AsyncIterator[bytes]:
    async for piece in file.stream(span.start, span.size):
        yield piece
