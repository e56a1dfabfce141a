"""`/summaries`: what is in a video, in words."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.idempotency import Once
from telecine.domains.summaries import operations, queries
from telecine.domains.summaries.queries import SORTS, Listing, Shown
from telecine.domains.summaries.schemas import (
    SummaryCreation,
    SummaryDocument,
    SummaryList,
    SummarySource,
    SummarySourceChange,
)
from telecine.domains.words.models import ATTRIBUTES, Origin, SourceStatus, Summary
from telecine.http import pagination, query
from telecine.http.body import JsonRoute
from telecine.http.query import Items
from telecine.http.schemas import PUBLIC_ID, problems
from telecine.http.services import AppServices
from telecine.http.sorting import ORDERS, not_one_of, order_of, parameter
from telecine.http.text import atom
from telecine.problems import invalid_attribute, not_found

router = APIRouter(route_class=JsonRoute, tags=["Summaries"])

SummaryId = Annotated[str, Path(alias="summaryId", pattern=PUBLIC_ID)]

_FILTERS: dict[str, tuple[str, ...]] = {
    "origin": tuple(Origin),
    "sourceStatus": tuple(SourceStatus),
}
PARAMETERS = [
    parameter("videoId", "Only the summary of this video."),
    parameter("origin", "Only summaries that were begun so.", _FILTERS["origin"]),
    parameter("sourceStatus", "Only summaries in this state.", _FILTERS["sourceStatus"]),
    parameter("sortBy", "What to sort by; `createdAt` by default.", SORTS),
    parameter("sortOrder", "Ascending or, by default, descending.", ORDERS),
]


def document(shown: Shown) -> dict[str, Any]:
    """Return a summary as the API shows it."""
    row = shown.summary
    return {
        "summaryId": row.public_id,
        "createdAt": atom(row.created_at),
        "updatedAt": atom(row.updated_at),
        "videoId": shown.video_id,
        "origin": row.origin,
        "sourceStatus": row.source_status,
    }


def source(row: Summary) -> dict[str, Any]:
    """Return the words of a summary."""
    return {"abstract": row.abstract, "takeaways": row.takeaways}


def listing_of(items: Items) -> Listing:
    """Return what a query string asks for. Raises Problem 400."""
    video_id = query.single(items, "videoId")
    given = {name: query.single(items, name) for name in _FILTERS}
    violations = [
        not_one_of(name, words)
        for name, words in _FILTERS.items()
        if given[name] not in {None, *words}
    ]
    if "\0" in (video_id or ""):
        detail = "This value must not contain NUL characters."
        violations.append(invalid_attribute("videoId", detail))
    order = order_of(items, [*SORTS], violations=violations)
    return Listing(video_id, given["origin"], given["sourceStatus"], order.by, order.descending)


@router.get(
    "/summaries",
    operation_id="GET_summaries",
    summary="List summaries",
    response_model=SummaryList,
    responses=problems(400),
    openapi_extra={"parameters": [*PARAMETERS, *pagination.PARAMETERS]},
)
async def list_summaries(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """List the summaries of a project."""
    items = request.query_params.multi_items()
    listing = listing_of(items)
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        total, found = await queries.page(tx, caller.project_id, listing, page)
    data = [document(shown) for shown in found]
    return JSONResponse(pagination.envelope(data, total, page, "/summaries", items))


@router.post(
    "/summaries",
    operation_id="POST_summaries",
    summary="Generate video summary",
    status_code=201,
    response_model=SummaryDocument,
    responses=problems(400, 404, 409, 422),
)
async def create_summary(
    caller: Caller, services: AppServices, once: Once, payload: SummaryCreation
) -> JSONResponse:
    """Begin the summary of a video, of which there is one at most."""
    async with once.transaction() as tx:
        shown = await operations.create_summary(
            tx,
            caller.project_id,
            payload.video_id,
            automatic=payload.origin is not None,
            attributes=payload.attributes or ATTRIBUTES,
            possible=services.summaries,
        )
        return once.keep(JSONResponse(document(shown), 201))


@router.delete(
    "/summaries/{summaryId}",
    operation_id="DELETE_summaries-summaryId",
    summary="Delete video summary",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_summary(summary_id: SummaryId, caller: Caller, services: AppServices) -> None:
    """Delete a summary, and its words."""
    async with services.db.transaction() as tx:
        await operations.delete_summary(tx, caller.project_id, summary_id)


@router.get(
    "/summaries/{summaryId}/source",
    operation_id="GET_summaries-summaryId-source",
    summary="Get summary details",
    response_model=SummarySource,
    responses=problems(404),
)
async def get_source(summary_id: SummaryId, caller: Caller, services: AppServices) -> JSONResponse:
    """Return the words of a summary."""
    async with services.db.transaction() as tx:
        row = await queries.summary(tx, caller.project_id, summary_id)
    if row is None:
        raise not_found("summaryId")
    return JSONResponse(source(row))


@router.patch(
    "/summaries/{summaryId}/source",
    operation_id="PATCH_summaries-summaryId-source",
    summary="Update summary details",
    status_code=201,
    response_model=SummarySource,
    responses=problems(400, 404, 409),
)
async def change_source(
    summary_id: SummaryId, caller: Caller, services: AppServices, payload: SummarySourceChange
) -> JSONResponse:
    """Write the words of a summary, whoever was to write them."""
    async with services.db.transaction() as tx:
        row = await operations.change_source(
            tx, caller.project_id, summary_id, payload.abstract, payload.takeaways
        )
    return JSONResponse(source(row), 201)
