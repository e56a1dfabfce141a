"""Who may use an upload's URL: whoever has a key, or the token that it was begun with."""

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import Request

from telecine import clock
from telecine.domains.accounts import auth
from telecine.domains.accounts.models import Environment
from telecine.domains.uploads import tokens_queries
from telecine.domains.uploads.reception import invalid_token
from telecine.domains.uploads.room import Allowance
from telecine.domains.uploads.tokens_queries import Bearer
from telecine.http import query
from telecine.http.caller import Identity
from telecine.http.ratelimit import RateClass
from telecine.http.schemas import PUBLIC_ID
from telecine.http.services import Services

TOKEN = "token"  # noqa: S105 - the name of a parameter
TOKEN_HEADER = "Upload-Token"  # noqa: S105 - the name of a header


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks, and how much may be stored for them. `bearer` is None for a key.

    `lifetime` is how long an upload may take (None: any time).

    `shown_token` is a token that the client put where it sends it once only: the URL of
    its upload has to carry it from then on.
    """

    identity: Identity
    allowance: Allowance
    lifetime: timedelta | None
    bearer: Bearer | None = None
    shown_token: str | None = None

    @property
    def project_id(self) -> UUID:
        """Return the project that every query starts from."""
        return self.identity.project_id

    @property
    def token_id(self) -> UUID | None:
        """Return the token's key, None for an API key."""
        return None if self.bearer is None else self.bearer.token_id

    @property
    def expired(self) -> bool:
        """Tell whether only uploads that began in time may go on."""
        return self.bearer is not None and self.bearer.expired

    @property
    def sandbox(self) -> bool:
        """Tell whether what is made is of the sandbox."""
        return self.identity.environment == Environment.SANDBOX


async def admit(
    request: Request,
    services: Services,
    rate_class: RateClass,
    cost: int,
    metadata_token: str | None = None,
) -> Access:
    """Return who asks; a token in the URL or a header counts before credentials.

    `metadata_token`, of `Upload-Metadata`, counts where there are none. Raises Problem
    401, 403 or 429.
    """
    in_url = query.single(request.query_params.multi_items(), TOKEN)
    header = request.headers.get(TOKEN_HEADER)
    credentials = request.headers.get("authorization")
    token = in_url or header or (None if credentials else metadata_token)
    if token is None:
        identity = await auth.identify(services, credentials)
        access = Access(identity, Allowance.of(identity), services.upload_lifetime)
    else:
        bearer = await _bearer(services, token)
        shown = token if token != header else None
        allowance = Allowance.of(bearer.identity)
        access = Access(bearer.identity, allowance, services.upload_lifetime, bearer, shown)
    auth.charge(request, services, access.identity, rate_class, cost)
    return access


async def _bearer(services: Services, token: str) -> Bearer:
    bearer = None
    if re.fullmatch(PUBLIC_ID, token):
        async with services.db.transaction() as tx:
            bearer = await tokens_queries.bearer(tx, token, clock.now())
    if bearer is None:
        raise invalid_token()
    if bearer.suspended:
        raise auth.suspended_account()
    return bearer
