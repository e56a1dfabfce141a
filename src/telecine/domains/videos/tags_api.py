"""`/tags`: what the videos of a project are tagged with."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from telecine.domains.accounts.auth import Caller
from telecine.domains.videos import tags_queries
from telecine.domains.videos.tags_queries import TagListing
from telecine.http import pagination, query
from telecine.http.body import JsonRoute
from telecine.http.query import Items
from telecine.http.schemas import Pagination, Wire, problems
from telecine.http.services import AppServices
from telecine.http.sorting import ORDERS, order_of, parameter
from telecine.problems import Violation, invalid_attribute

router = APIRouter(route_class=JsonRoute, tags=["Tags"])

SORTS = ("value", "videoCount")

PARAMETERS = [
    parameter("value", "Part of the tag, whatever its case and accents."),
    parameter("sortBy", "What to sort by.", SORTS, default="value"),
    parameter(
        "sortOrder",
        "Ascending or descending. Values ascend by default, counts descend.",
        ORDERS,
    ),
]


class TagDocument(Wire):
    """A tag, and how many videos have it."""

    value: str
    video_count: int


class TagList(Wire):
    """A page of tags."""

    data: list[TagDocument]
    pagination: Pagination


def listing_of(items: Items) -> TagListing:
    """Return what a query string asks for. Raises Problem 400."""
    part = query.single(items, "value") or ""
    violations: list[Violation] = []
    if "\0" in part:
        detail = "This value must not contain NUL characters."
        violations.append(invalid_attribute("value", detail))
    order = order_of(items, SORTS, by="value", ascending=("value",), violations=violations)
    return TagListing(part, by_count=order.by == "videoCount", descending=order.descending)


@router.get(
    "/tags",
    operation_id="LIST-tags",
    summary="List all video tags",
    response_model=TagList,
    responses=problems(400),
    openapi_extra={"parameters": [*PARAMETERS, *pagination.PARAMETERS]},
)
async def list_tags(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """List the tags of a project with the number of their videos."""
    items = request.query_params.multi_items()
    listing = listing_of(items)
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        total, found = await tags_queries.page(tx, caller.project_id, listing, page)
    data = [{"value": value, "videoCount": count} for value, count in found]
    return JSONResponse(pagination.envelope(data, total, page, "/tags", items))
