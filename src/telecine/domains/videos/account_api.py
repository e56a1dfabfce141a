"""`GET /account`: what a project has stored, as clients of 2021 ask."""

import math
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from telecine.domains.accounts.auth import Caller
from telecine.domains.encodings import queries
from telecine.http.body import JsonRoute
from telecine.http.clients import strict_python, without_nulls
from telecine.http.schemas import Wire, problems
from telecine.http.services import AppServices

router = APIRouter(route_class=JsonRoute, tags=["Account"])

FEATURES = (
    "app.dynamic_metadata",
    "app.event_log",
    "player.white_label",
    "stats.player_events",
    "transcode.mp4_support",
)
"""All that could be bought there; here everybody has it."""


class QuotaDocument(Wire):
    """Minutes of video; null where there is no quota."""

    quota_used: int = Field(description="Minutes of all stored videos together, rounded up.")
    quota_remaining: int | None
    quota_total: int | None


class AccountDocument(Wire):
    """What belongs to the project of the key."""

    quota: QuotaDocument
    environment: Literal["production", "sandbox"]
    features: list[str]


@router.get(
    "/account",
    operation_id="GET_account",
    summary="Show account",
    deprecated=True,
    response_model=AccountDocument,
    responses=problems(404),
)
async def show_account(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """Show what a project has stored, and what it may: its setting `quotaMinutes`."""
    async with services.db.transaction() as tx:
        stored_s = await queries.stored_seconds(tx, caller.project_id)
    used, total = math.ceil(stored_s / 60), caller.settings.get("quota_minutes")
    left = None if total is None else max(0, total - used)
    quota: object = {"quotaUsed": used, "quotaRemaining": left, "quotaTotal": total}
    if strict_python(request.headers) is not None:
        quota = without_nulls(quota)
    return JSONResponse(
        {"quota": quota, "environment": caller.environment, "features": list(FEATURES)}
    )
