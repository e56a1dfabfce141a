"""`/auth`: API keys for tokens."""

from typing import Any

from fastapi import APIRouter

from telecine.domains.accounts import operations
from telecine.domains.accounts.schemas import AccessToken, AuthenticatePayload, RefreshPayload
from telecine.http.body import JsonRoute
from telecine.http.schemas import problems
from telecine.http.services import AppServices

router = APIRouter(route_class=JsonRoute, tags=["Authentication"])

_OPEN: dict[str, Any] = {"security": []}
_ERRORS: dict[int | str, dict[str, Any]] = {400: problems(400)[400]}


def _document(issued: operations.IssuedTokens) -> AccessToken:
    return AccessToken(
        expires_in=operations.ACCESS_LIFETIME_S,
        access_token=issued.access_token,
        refresh_token=issued.refresh_token,
    )


@router.post(
    "/auth/api-key", operation_id="POST_auth-api-key", responses=_ERRORS, openapi_extra=_OPEN
)
async def authenticate(payload: AuthenticatePayload, services: AppServices) -> AccessToken:
    """Get an access token for an API key."""
    async with services.db.transaction() as tx:
        return _document(await operations.issue_tokens(tx, payload.api_key))


@router.post(
    "/auth/refresh", operation_id="POST_auth-refresh", responses=_ERRORS, openapi_extra=_OPEN
)
async def refresh(payload: RefreshPayload, services: AppServices) -> AccessToken:
    """Get a new access token for a refresh token, which is replaced as well."""
    async with services.db.transaction() as tx:
        return _document(await operations.refresh_tokens(tx, payload.refresh_token))
