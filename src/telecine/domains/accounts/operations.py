"""Changes of projects, keys and tokens. Secrets are returned once and stored hashed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.accounts import queries
from telecine.domains.accounts.models import ApiKey, Environment, Project, Token
from telecine.problems import Problem, not_found, problem

ACCESS_LIFETIME_S = 3600
REFRESH_LIFETIME = timedelta(days=30)
REFRESH_GRACE = timedelta(seconds=60)
"""Concurrent uploads of one page share a refresh token: the loser must not fail."""


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """A pair of tokens, in clear for the last time."""

    access_token: str
    refresh_token: str


def bad_credentials() -> Problem:
    """The key or refresh token given to `/auth` is wrong: 400, as clients expect."""
    title = "The user credentials were incorrect."
    return problem(400, "authentication-invalid-user-credentials", title, "")


PROJECT_CHANGED = "telecine_project"
"""NOTIFY channel: the public id of a project whose settings have changed."""


async def create_project(tx: Transaction, name: str) -> dict[Environment, Project]:
    """Create both halves of a project and return them by environment."""
    public_id = ids.public_id("pr")
    halves = {
        environment: Project(public_id=public_id, environment=environment, name=name, settings={})
        for environment in Environment
    }
    tx.add_all(halves.values())
    await tx.flush()
    return halves


async def create_key(
    tx: Transaction, project_id: UUID, name: str, secret: str | None = None
) -> tuple[ApiKey, str]:
    """Create a key for one half of a project; return it with its secret.

    `secret` presets the secret, so that an installation can be set up by script.
    """
    secret = secret or ids.secret("tlc_")
    key = ApiKey(
        public_id=ids.public_id("api_key_"),
        project_id=project_id,
        name=name,
        digest=ids.digest(secret),
        last_characters=secret[-4:],
    )
    tx.add(key)
    await tx.flush()
    return key, secret


async def revoke_key(tx: Transaction, project_public_id: str, key_public_id: str) -> None:
    """Revoke a key; its tokens stop working with it. Raises Problem 404."""
    halves = select(Project.id).where(Project.public_id == project_public_id)
    revoked = await tx.scalar(
        update(ApiKey)
        .where(ApiKey.public_id == key_public_id, ApiKey.project_id.in_(halves))
        .values(revoked_at=func.coalesce(ApiKey.revoked_at, clock.now()))
        .returning(ApiKey.id)
    )
    if revoked is None:
        raise not_found("apiKeyId")
    await tx.execute(delete(Token).where(Token.api_key_id == revoked))


async def issue_tokens(tx: Transaction, api_key: str) -> IssuedTokens:
    """Exchange an API key for tokens. Raises Problem 400."""
    credential = await queries.credential_of_key(tx, ids.digest(api_key))
    if credential is None:
        raise bad_credentials()
    return await _issue(tx, credential)


async def refresh_tokens(tx: Transaction, refresh_token: str) -> IssuedTokens:
    """Exchange a refresh token for new tokens. Raises Problem 400.

    The old one keeps working for a minute.
    """
    digest = ids.digest(refresh_token)
    credential = await queries.credential_of_token(tx, digest, queries.REFRESH)
    if credential is None:
        raise bad_credentials()
    await tx.execute(
        update(Token)
        .where(Token.project_id == credential.identity.project_id, Token.digest == digest)
        .values(expires_at=func.least(Token.expires_at, clock.now() + REFRESH_GRACE))
    )
    return await _issue(tx, credential)


async def _issue(tx: Transaction, credential: queries.Credential) -> IssuedTokens:
    owner = credential.identity
    now = clock.now()
    # Here and not in a sweep: who makes tokens removes what they leave behind.
    await tx.execute(
        delete(Token).where(Token.api_key_id == owner.api_key_id, Token.expires_at < now)
    )
    issued = IssuedTokens(ids.secret(), ids.secret())
    lifetimes = (
        (queries.ACCESS, issued.access_token, timedelta(seconds=ACCESS_LIFETIME_S)),
        (queries.REFRESH, issued.refresh_token, REFRESH_LIFETIME),
    )
    for kind, secret, lifetime in lifetimes:
        tx.add(
            Token(
                project_id=owner.project_id,
                api_key_id=owner.api_key_id,
                kind=kind,
                digest=ids.digest(secret),
                expires_at=now + lifetime,
            )
        )
    return issued


async def update_project(
    tx: Transaction, public_id: str, *, name: str | None = None, suspended: bool | None = None
) -> Project:
    """Rename, suspend or reopen both halves of a project. Raises Problem 404."""
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name
    if suspended is not None:
        changes["suspended_at"] = clock.now() if suspended else None
    if changes:
        await tx.execute(update(Project).where(Project.public_id == public_id).values(changes))
    if suspended is not None:
        await notify(tx, PROJECT_CHANGED, public_id)
    found = await queries.project(tx, public_id)
    if found is None:
        raise not_found("projectId")
    return found


async def update_settings(
    tx: Transaction, public_id: str, changes: dict[str, Any]
) -> dict[str, Any]:
    """Merge `changes` into the settings of both halves. Raises Problem 404.

    A value of None removes a setting, which brings back its default.
    """
    rows = select(Project).where(Project.public_id == public_id).order_by(Project.id)
    halves = (await tx.scalars(rows.with_for_update())).all()
    if not halves:
        raise not_found("projectId")
    merged = {**halves[0].settings, **changes}
    settings = {name: value for name, value in merged.items() if value is not None}
    for half in halves:
        half.settings = settings
    await notify(tx, PROJECT_CHANGED, public_id)
    return settings
