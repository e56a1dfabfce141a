"""`/players`: create, list, show, change, delete, and the logo of each."""

from typing import Annotated, Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.idempotency import Once
from telecine.domains.players import logos, operations, queries, themes
from telecine.domains.players.models import PlayerTheme
from telecine.domains.players.schemas import (
    MAX_LINK_CHARS,
    ThemeDocument,
    ThemeInput,
    ThemeList,
)
from telecine.formats.pictures import BrokenPicture, NotAPicture
from telecine.http import pagination
from telecine.http.body import JsonRoute
from telecine.http.multipart import Memory, invalid_file, receive_file
from telecine.http.schemas import PUBLIC_ID, file_body, problems
from telecine.http.services import AppServices
from telecine.http.sorting import ORDERS, order_of, parameter
from telecine.http.text import atom
from telecine.problems import bad_request, invalid_attribute, problem

router = APIRouter(route_class=JsonRoute, tags=["Player Themes"])

PlayerId = Annotated[str, Path(alias="playerId", pattern=PUBLIC_ID)]

SORTS = tuple(queries.SORT_COLUMNS)

# One at a time, as with all pictures: small ones, but of anybody.
_decoding = anyio.CapacityLimiter(1)


PARAMETERS = [
    parameter("sortBy", "What to sort by; `createdAt` if absent.", SORTS),
    parameter(
        "sortOrder",
        "Ascending or descending. Names are sorted ascending by default, dates descending.",
        ORDERS,
    ),
]


def document(row: PlayerTheme, media_base: str) -> dict[str, Any]:
    """Return a theme as the API shows it: complete, and without a null."""
    shown: dict[str, Any] = {"playerId": row.public_id}
    if row.name is not None:
        shown["name"] = row.name
    shown |= {"createdAt": atom(row.created_at), "updatedAt": atom(row.updated_at)}
    shown |= themes.resolved(row.choices)
    assets = {}
    if row.logo_tag is not None:
        assets["logo"] = f"{media_base}/player/{row.public_id}/logo.png"
        if row.logo_link is not None:
            assets["link"] = row.logo_link
    return {**shown, "assets": assets}


@router.get(
    "/players",
    operation_id="GET_players",
    summary="List all player themes",
    response_model=ThemeList,
    responses=problems(400),
    openapi_extra={"parameters": [*PARAMETERS, *pagination.PARAMETERS]},
)
async def list_themes(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """List the player themes of a project."""
    items = request.query_params.multi_items()
    order = order_of(items, SORTS, ascending=("name",))
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        total, rows = await queries.page(
            tx, caller.project_id, sort_by=order.by, descending=order.descending, wanted=page
        )
    data = [document(row, services.urls.vod) for row in rows]
    return JSONResponse(pagination.envelope(data, total, page, "/players", items))


@router.post(
    "/players",
    operation_id="POST_players",
    summary="Create a player theme",
    status_code=201,
    response_model=ThemeDocument,
    responses=problems(400, 409, 422),
)
async def create_theme(
    payload: ThemeInput, caller: Caller, services: AppServices, once: Once
) -> JSONResponse:
    """Create a theme; what is not given is the default."""
    async with once.transaction() as tx:
        row = await operations.create_theme(tx, caller.project_id, payload.name, payload.changes())
        return once.keep(JSONResponse(document(row, services.urls.vod), 201))


@router.get(
    "/players/{playerId}",
    operation_id="GET_players-playerId",
    summary="Retrieve a player theme",
    response_model=ThemeDocument,
    responses=problems(404),
)
async def get_theme(player_id: PlayerId, caller: Caller, services: AppServices) -> JSONResponse:
    """Return a theme."""
    async with services.db.transaction() as tx:
        row = await operations.found(tx, caller.project_id, player_id)
    return JSONResponse(document(row, services.urls.vod))


@router.patch(
    "/players/{playerId}",
    operation_id="PATCH_players-playerId",
    summary="Update a player theme",
    response_model=ThemeDocument,
    responses=problems(400, 404),
)
async def update_theme(
    player_id: PlayerId, payload: ThemeInput, caller: Caller, services: AppServices
) -> JSONResponse:
    """Change a theme. Its videos show it at once."""
    async with services.db.transaction() as tx:
        row = await operations.update_theme(tx, caller.project_id, player_id, payload.changes())
    return JSONResponse(document(row, services.urls.vod))


@router.delete(
    "/players/{playerId}",
    operation_id="DELETE_players-playerId",
    summary="Delete a player theme",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_theme(player_id: PlayerId, caller: Caller, services: AppServices) -> None:
    """Delete a theme. Videos that name it are shown with the defaults."""
    async with services.db.transaction() as tx:
        await operations.delete_theme(tx, caller.project_id, player_id)


@router.post(
    "/players/{playerId}/logo",
    operation_id="POST_players-playerId-logo",
    summary="Upload a logo",
    status_code=201,
    response_model=ThemeDocument,
    responses=problems(400, 404),
    openapi_extra=file_body(
        "A JPEG or PNG picture of at most 200x100 pixels and 200 KiB.",
        {"link": {"type": "string", "description": "Where a click on the logo leads."}},
    ),
)
async def upload_logo(
    request: Request, player_id: PlayerId, caller: Caller, services: AppServices
) -> JSONResponse:
    """Upload the logo of a theme, and where it leads; one that is there is replaced."""
    async with services.db.transaction() as tx:
        await operations.found(tx, caller.project_id, player_id)
    received = Memory()
    upload = await receive_file(request, received, max_bytes=logos.MAX_BYTES)
    link = upload.fields.get("link") or None
    if link is not None and len(link) > MAX_LINK_CHARS:
        detail = f"This value should not contain more than {MAX_LINK_CHARS} characters."
        raise bad_request([invalid_attribute("link", detail)])
    png = await _png(bytes(received.data))
    async with services.db.transaction() as tx:
        row = await operations.set_logo(tx, caller.project_id, player_id, png, link)
    return JSONResponse(document(row, services.urls.vod), 201)


async def _png(data: bytes) -> bytes:
    try:
        return await to_thread.run_sync(logos.normalised, data, limiter=_decoding)
    except NotAPicture:
        title = "Only ['jpg', 'JPG', 'jpeg', 'JPEG', 'png', 'PNG'] extensions are supported."
        raise problem(400, "uploaded-file-extension-invalid", title, "file") from None
    except BrokenPicture as error:
        raise invalid_file(str(error)) from None


@router.delete(
    "/players/{playerId}/logo",
    operation_id="DELETE_players-playerId-logo",
    summary="Delete a logo",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_logo(player_id: PlayerId, caller: Caller, services: AppServices) -> None:
    """Take the logo of a theme away."""
    async with services.db.transaction() as tx:
        await operations.remove_logo(tx, caller.project_id, player_id)
