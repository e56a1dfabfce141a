"""`/upload-tokens`: create, list, show, delete."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from telecine import clock
from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.idempotency import Once
from telecine.domains.uploads import tokens_operations, tokens_queries
from telecine.domains.uploads.models import UploadToken
from telecine.domains.uploads.tokens_queries import Order
from telecine.domains.uploads.tokens_schemas import (
    TokenCreation,
    UploadTokenDocument,
    UploadTokenList,
)
from telecine.domains.videos.documents import Json
from telecine.http import pagination
from telecine.http.body import JsonRoute
from telecine.http.schemas import PUBLIC_ID, problems
from telecine.http.services import AppServices
from telecine.http.sorting import ORDERS, order_of, parameter
from telecine.http.text import atom

router = APIRouter(route_class=JsonRoute, tags=["Upload Tokens"])

PublicId = Annotated[str, Path(alias="uploadToken", pattern=PUBLIC_ID)]

SORT_COLUMNS = {"createdAt": "created_at", "ttl": "ttl_s"}


PARAMETERS = [
    parameter("sortBy", "What to sort by, `createdAt` by default.", SORT_COLUMNS),
    parameter("sortOrder", "Ascending or, by default, descending.", ORDERS),
]
"""The parameters of the list, for the OpenAPI document."""


def document(row: UploadToken) -> Json:
    """Return a token as the API shows it."""
    shown: Json = {"token": row.public_id, "ttl": row.ttl_s, "createdAt": atom(row.created_at)}
    if row.expires_at is not None:
        shown["expiresAt"] = atom(row.expires_at)
    return shown


@router.get(
    "/upload-tokens",
    operation_id="GET_upload-tokens",
    summary="List all active upload tokens",
    response_model=UploadTokenList,
    responses=problems(400),
    openapi_extra={"parameters": [*PARAMETERS, *pagination.PARAMETERS]},
)
async def list_tokens(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """List the upload tokens of a project that still work."""
    items = request.query_params.multi_items()
    wanted = order_of(items, [*SORT_COLUMNS])
    order = Order(SORT_COLUMNS[wanted.by], wanted.descending)
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        total, rows = await tokens_queries.page(tx, caller.project_id, order, page, clock.now())
    data = [document(row) for row in rows]
    return JSONResponse(pagination.envelope(data, total, page, "/upload-tokens", items))


@router.post(
    "/upload-tokens",
    operation_id="POST_upload-tokens",
    summary="Generate an upload token",
    response_model=UploadTokenDocument,
    responses=problems(400, 409, 422),
)
async def create_token(
    caller: Caller, once: Once, payload: TokenCreation | None = None
) -> JSONResponse:
    """Create a token with which others can upload, and nothing else."""
    ttl_s = (payload.ttl if payload else None) or 0
    async with once.transaction() as tx:
        row = await tokens_operations.create_token(tx, caller.project_id, ttl_s)
        return once.keep(JSONResponse(document(row)))


@router.get(
    "/upload-tokens/{uploadToken}",
    operation_id="GET_upload-tokens-uploadToken",
    summary="Retrieve upload token",
    response_model=UploadTokenDocument,
    responses=problems(404),
)
async def get_token(token: PublicId, caller: Caller, services: AppServices) -> JSONResponse:
    """Return an upload token."""
    async with services.db.transaction() as tx:
        row = await tokens_operations.found(tx, caller.project_id, token)
    return JSONResponse(document(row))


@router.delete(
    "/upload-tokens/{uploadToken}",
    operation_id="DELETE_upload-tokens-uploadToken",
    summary="Delete an upload token",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_token(token: PublicId, caller: Caller, services: AppServices) -> None:
    """Delete an upload token: it stops working at once, in uploads under way too."""
    async with services.db.transaction() as tx:
        await tokens_operations.delete_token(tx, caller.project_id, token)
