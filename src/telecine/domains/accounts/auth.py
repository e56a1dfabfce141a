"""Who asks: API keys (Basic) and access tokens (Bearer), on every operation."""

import base64
import binascii
from typing import Annotated

from fastapi import Depends, Request

from telecine import clock, ids
from telecine.domains.accounts import queries
from telecine.http import ratelimit
from telecine.http.caller import Identity
from telecine.http.ratelimit import RateClass, RateLimits
from telecine.http.services import IDENTITY_TTL_S, AppServices, Services
from telecine.problems import Problem, problem, with_headers


def _unauthorized(slug: str, title: str) -> Problem:
    return problem(401, f"authentication-{slug}", title)


def missing_header() -> Problem:
    """There is no Authorization header, or an empty one."""
    title = 'The "Authorization" header is missing.'
    return _unauthorized("missing-authorization-header", title)


def invalid_header() -> Problem:
    """The header is neither `Basic` nor `Bearer`, or cannot be decoded."""
    title = 'The "Authorization" header value is invalid.'
    return _unauthorized("invalid-authorization-header-value", title)


def invalid_key() -> Problem:
    """There is no such key."""
    return _unauthorized("invalid-api-key", "The API key is invalid.")


def invalid_token() -> Problem:
    """There is no such access token, or it has expired."""
    return _unauthorized("invalid-access-token", "The access token is invalid or expired.")


def suspended_account() -> Problem:
    """The credentials are right, but the project has been suspended."""
    return problem(403, "authorization-suspended-account", "Your account is suspended.")


def secret_in(header: str | None) -> tuple[str, str]:
    """Return the scheme ("basic" or "bearer") and the key or token of a header.

    Raises:
        Problem: 401; clients send an empty header where they mean none.
    """
    header = (header or "").strip()
    if not header:
        raise missing_header()
    scheme, _, value = header.partition(" ")
    scheme, value = scheme.lower(), value.strip()
    if scheme == "bearer" and value:
        return scheme, value
    if scheme != "basic":
        raise invalid_header()
    try:
        user, colon, _ = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise invalid_header() from None
    if not colon:
        raise invalid_header()
    return scheme, user


async def identify(services: Services, header: str | None) -> Identity:
    """Return whose credentials these are. Raises Problem 401 or 403.

    What was found is remembered for a second, so most requests need no look-up.
    """
    scheme, secret = secret_in(header)
    digest = ids.digest(secret)
    memory_key = digest + scheme.encode()
    remembered = services.identities.get(memory_key)
    if remembered is not None:
        return remembered
    async with services.db.transaction() as tx:
        if scheme == "basic":
            credential = await queries.credential_of_key(tx, digest)
        else:
            credential = await queries.credential_of_token(tx, digest, queries.ACCESS)
    if credential is None:
        raise invalid_key() if scheme == "basic" else invalid_token()
    if credential.suspended:
        raise suspended_account()
    ttl_s = IDENTITY_TTL_S
    if credential.expires_at is not None:
        ttl_s = (credential.expires_at - clock.now()).total_seconds()
    services.identities.put(memory_key, credential.identity, ttl_s=ttl_s)
    return credential.identity


def limits_of(services: Services, caller: Identity) -> RateLimits:
    """Return the limits of a project: its own setting, else those of its environment."""
    own = caller.settings.get("rate_limits")
    if own is not None:
        return RateLimits(**own)
    return services.rate_limits.get(caller.environment, RateLimits())


def count(request: Request, services: Services, caller: Identity) -> None:
    """Count a request of `caller`. Raises Problem 429."""
    content_type = request.headers.get("content-type", "").encode("latin-1")
    content_range = request.headers.get("content-range")
    rate_class = ratelimit.class_of(request.method, content_type)
    cost = 1 if content_range is None else ratelimit.cost_of(content_range.encode("latin-1"))
    charge(request, services, caller, rate_class, cost)


def charge(
    request: Request, services: Services, caller: Identity, rate_class: RateClass, cost: int
) -> None:
    """Count a request of `caller` as `cost` requests of a class. Raises Problem 429."""
    limit = limits_of(services, caller).of(rate_class)
    rate = services.limiter.take(caller.project_id, rate_class, limit, cost)
    ratelimit.remember(request.scope, rate)
    if rate.exceeded:
        error = problem(429, "too-many-requests", "Too many requests.")
        raise with_headers(error, {"Retry-After": str(rate.reset_s)})


async def authenticate(request: Request, services: AppServices) -> Identity:
    """Return the caller of an operation. Raises Problem 401, 403 or 429."""
    caller = await identify(services, request.headers.get("authorization"))
    count(request, services, caller)
    return caller


async def authenticate_operator(request: Request, services: AppServices) -> None:
    """Let only the operator pass. Raises Problem 401."""
    scheme, secret = secret_in(request.headers.get("authorization"))
    expected = services.operator_digest
    right = expected is not None and ids.same(ids.digest(secret), expected)
    if scheme != "bearer" or not right:
        raise invalid_token()


Caller = Annotated[Identity, Depends(authenticate)]
"""The authenticated caller of an operation."""
