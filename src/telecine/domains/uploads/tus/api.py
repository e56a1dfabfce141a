"""`/tus/`: uploads that go on where they were cut, by tus 1.0.0 or its successor's drafts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Request, Response

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.uploads.room import Need, check_room
from telecine.domains.uploads.tus import access as tus_access
from telecine.domains.uploads.tus import creation as tus_creation
from telecine.domains.uploads.tus import documents as tus_documents
from telecine.domains.uploads.tus import ending as tus_ending
from telecine.domains.uploads.tus import protocol as tus_protocol
from telecine.domains.uploads.tus import requests as tus_requests
from telecine.domains.uploads.tus import state as tus_state
from telecine.domains.uploads.tus import writing as tus_writing
from telecine.domains.uploads.tus.access import TOKEN, Access
from telecine.domains.uploads.tus.body import drain
from telecine.domains.uploads.tus.fields import Final, Partial
from telecine.domains.uploads.tus.metadata import file_name_of, token_of, video_of
from telecine.domains.uploads.tus.protocol import TUS, Dialect, Progress
from telecine.domains.uploads.tus.receiving import append, when_free
from telecine.domains.uploads.tus.requests import Creation
from telecine.domains.uploads.tus.state import Located
from telecine.domains.videos.api import reply
from telecine.http.openapi import OPERATOR_TAG
from telecine.http.problems import method_not_allowed
from telecine.http.ratelimit import RateClass
from telecine.http.schemas import PUBLIC_ID
from telecine.http.services import AppServices, Services
from telecine.problems import Problem, with_headers

router = APIRouter(tags=[OPERATOR_TAG])

UploadId = Annotated[str, Path(alias="uploadId", pattern=PUBLIC_ID)]

_ALLOWED = frozenset({"OPTIONS", "HEAD", "PATCH", "DELETE"})

T = TypeVar("T")


@asynccontextmanager
async def _answering(request: Request) -> AsyncIterator[None]:
    """Give errors the headers that clients look for, once they have sent what they send."""
    try:
        yield
    except Problem as error:
        await drain(request)
        tus = "tus-resumable" in request.headers
        raise (with_headers(error, TUS.always) if tus else error) from None


@router.options("/tus", include_in_schema=False)
@router.options("/tus/", include_in_schema=False)
@router.options("/tus/{uploadId}", include_in_schema=False)
async def tell_capabilities() -> Response:
    """Tell what is supported; that is no secret."""
    return Response(status_code=204, headers=tus_protocol.capabilities())


@router.post("/tus", include_in_schema=False)
@router.post(
    "/tus/",
    operation_id="POST_tus",
    summary="Create a resumable upload",
    status_code=201,
    response_class=Response,
    responses=tus_documents.responses(400, 404, 409, 410, 412, 413, 415, 423, 460, 507),
    openapi_extra=tus_documents.CREATION,
)
async def create_upload(request: Request, services: AppServices) -> Response:
    """Create an upload, perhaps with its first bytes or all of them."""
    async with _answering(request):
        # A part of a concatenation is a part of an upload, which counts once.
        partial = request.headers.get(tus_protocol.CONCAT, "").strip() == Partial().header
        token = token_of(request.headers)
        access = await tus_access.admit(
            request, services, RateClass.UPLOADS, 0 if partial else 1, token
        )
        dialect = tus_protocol.dialect_of("POST", request.headers)
        creation = tus_requests.read_creation(dialect, request.headers)
        announced = creation.length or 0
        brought = (creation.append.content_length or 0) if creation.append else 0
        need = Need(brought, max(announced, brought))
        await check_room(services, access.allowance, need, first=True)
        located = await _create(request, services, access, creation)
        if creation.append is not None:
            located = await append(request, services, access, located.public_id, creation.append)
        location = tus_creation.location_of(located.public_id)
        if access.shown_token is not None:
            location = f"{location}?{TOKEN}={access.shown_token}"
        answer = await _told(request, services, dialect, located, 201)
        answer.headers["Location"] = location
        return answer


async def _create(
    request: Request, services: Services, access: Access, creation: Creation
) -> Located:
    name = file_name_of(creation.metadata, request.headers)
    concat = creation.concat
    values = {} if isinstance(concat, Partial) else video_of(creation.metadata, name)
    if isinstance(concat, Final):
        return await tus_creation.concatenate(services, access, creation, concat, values, name)
    async with services.db.transaction() as tx:
        return await tus_creation.create(tx, access, creation, values, name)


async def _told(
    request: Request, services: Services, dialect: Dialect, located: Located, status: int
) -> Response:
    """Return the answer to a request that brought bytes."""
    async with services.db.transaction() as tx:
        progress = await tus_state.progress_of(tx, located)
    headers = dialect.headers(progress, clock.now())
    if dialect.is_tus or not progress.complete or located.row is None:
        return Response(status_code=status, headers=headers)
    answer = reply(request, services, located.row, 201)
    answer.headers.update(headers)
    return answer


@router.post("/tus/{uploadId}", include_in_schema=False)
async def do_what_the_header_says(
    request: Request, upload_id: UploadId, services: AppServices
) -> Response:
    """Stand in for methods that a client cannot send (tus: `X-HTTP-Method-Override`)."""
    method = tus_protocol.method_of(request.method, request.headers)
    if method == "PATCH":
        return await append_to_upload(request, upload_id, services)
    if method == "DELETE":
        return await delete_upload(request, upload_id, services)
    if method == "HEAD":
        return await tell_offset(request, upload_id, services)
    raise method_not_allowed(_ALLOWED)


@router.head(
    "/tus/{uploadId}",
    operation_id="HEAD_tus-uploadId",
    summary="Ask for the offset of an upload",
    response_class=Response,
    responses=tus_documents.responses(400, 404, 409, 410, 412, 423),
    openapi_extra=tus_documents.QUESTION,
)
async def tell_offset(request: Request, upload_id: UploadId, services: AppServices) -> Response:
    """Tell where an upload goes on. A request that is writing to it ends."""
    async with _answering(request):
        access = await tus_access.admit(request, services, RateClass.UPLOADS, 0)
        dialect = await _read(request, services, access, upload_id, _question)

        async def attempt(tx: Transaction) -> Progress | None:
            located = await tus_state.locate(tx, access, upload_id, lock=True)
            if not await tus_writing.vacate(tx, located.source):
                return None
            return await tus_state.progress_of(tx, located)

        progress = await when_free(services, attempt)
        headers = dialect.description(progress, clock.now())
        return Response(status_code=200 if dialect.is_tus else 204, headers=headers)


@router.patch(
    "/tus/{uploadId}",
    operation_id="PATCH_tus-uploadId",
    summary="Append to an upload",
    status_code=204,
    response_class=Response,
    responses=tus_documents.responses(400, 404, 409, 410, 412, 413, 415, 423, 460, 507),
    openapi_extra=tus_documents.APPEND,
)
async def append_to_upload(
    request: Request, upload_id: UploadId, services: AppServices
) -> Response:
    """Store the bytes of the body; when the last one is stored, the video is there."""
    async with _answering(request):
        access = await tus_access.admit(request, services, RateClass.UPLOADS, 0)
        dialect, wanted = await _read(request, services, access, upload_id, _append)
        brought = wanted.content_length or 0
        need = Need(brought, brought)
        await check_room(services, access.allowance, need, first=False)
        located = await append(request, services, access, upload_id, wanted)
        return await _told(request, services, dialect, located, dialect.appended_status)


@router.delete(
    "/tus/{uploadId}",
    operation_id="DELETE_tus-uploadId",
    summary="Give an upload up",
    status_code=204,
    response_class=Response,
    responses=tus_documents.responses(400, 404, 410, 412, 423),
    openapi_extra=tus_documents.QUESTION,
)
async def delete_upload(request: Request, upload_id: UploadId, services: AppServices) -> Response:
    """Delete an upload with what has come of it. A request that is writing to it ends."""
    async with _answering(request):
        access = await tus_access.admit(request, services, RateClass.WRITES, 1)
        dialect = await _read(request, services, access, upload_id, _question)
        await tus_ending.terminate(services, access, upload_id)
        return Response(status_code=204, headers=dialect.always)


def _question(request: Request) -> Dialect:
    method = tus_protocol.method_of(request.method, request.headers)
    dialect = tus_protocol.dialect_of(method, request.headers)
    tus_requests.check_question(dialect, request.headers)
    return dialect


def _append(request: Request) -> tuple[Dialect, tus_requests.Append]:
    dialect = tus_protocol.dialect_of("PATCH", request.headers)
    return dialect, tus_requests.read_append(dialect, request.headers)


async def _read(
    request: Request,
    services: Services,
    access: Access,
    upload_id: str,
    read: Callable[[Request], T],
) -> T:
    """Return what `read` makes of a request; what is wrong counts after the upload's id."""
    try:
        return read(request)
    except Problem:
        async with services.db.transaction() as tx:
            await tus_state.locate(tx, access, upload_id)
        raise
