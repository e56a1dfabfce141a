"""Reads of projects, keys and tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.accounts.models import ApiKey, Environment, Project, Token
from telecine.http.caller import Identity

ACCESS, REFRESH = "access", "refresh"
"""The kinds of tokens."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a key or token proves. `expires_at` is None for keys."""

    identity: Identity
    suspended: bool
    expires_at: datetime | None = None


_IDENTITY = (
    Project.id,
    Project.public_id,
    Project.environment,
    ApiKey.id,
    Project.settings,
    Project.suspended_at,
)


def _by_key() -> Select[*tuple[Any, ...]]:
    live = select(*_IDENTITY).join(Project, Project.id == ApiKey.project_id)
    return live.where(ApiKey.revoked_at.is_(None))


async def credential_of_key(tx: Transaction, digest: bytes) -> Credential | None:
    """Return what the key with this SHA-256 proves; None if unknown or revoked."""
    row = (await tx.execute(_by_key().where(ApiKey.digest == digest))).one_or_none()
    return None if row is None else Credential(Identity(*row[:5]), row[5] is not None)


async def credential_of_token(tx: Transaction, digest: bytes, kind: str) -> Credential | None:
    """Return what an unexpired token proves; None also if its key was revoked."""
    found = await tx.execute(
        _by_key()
        .join(Token, Token.api_key_id == ApiKey.id)
        .add_columns(Token.expires_at)
        .where(Token.digest == digest, Token.kind == kind, Token.expires_at > clock.now())
    )
    row = found.one_or_none()
    return None if row is None else Credential(Identity(*row[:5]), row[5] is not None, row[6])


async def projects(tx: Transaction, offset: int, limit: int) -> tuple[int, Sequence[Project]]:
    """Return how many projects there are, and some of them, oldest first."""
    production = Project.environment == Environment.PRODUCTION
    total = await tx.scalar(select(func.count()).select_from(Project).where(production))
    rows = select(Project).where(production).order_by(Project.id).offset(offset).limit(limit)
    return total or 0, (await tx.scalars(rows)).all()


async def project(
    tx: Transaction, public_id: str, environment: Environment = Environment.PRODUCTION
) -> Project | None:
    """Return one half of a project."""
    rows = select(Project).where(Project.public_id == public_id, Project.environment == environment)
    return (await tx.scalars(rows)).one_or_none()


async def keys(tx: Transaction, public_id: str) -> Sequence[tuple[ApiKey, str]]:
    """Return the keys of a project with their environments, oldest first."""
    rows = (
        select(ApiKey, Project.environment)
        .join(Project, Project.id == ApiKey.project_id)
        .where(Project.public_id == public_id)
        .order_by(ApiKey.id)
    )
    return [(key, environment) for key, environment in await tx.execute(rows)]
