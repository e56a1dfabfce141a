"""Tables of projects, their keys, and the tokens handed out for keys."""

import enum
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base


class Environment(enum.StrEnum):
    """The two worlds of a project; neither sees the other's data."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


class Project(Base):
    """One tenant in one environment: all data hangs on a row of this table.

    A project that a person creates is two rows, production and its sandbox twin
    with the same `public_id`, so that one key column isolates tenants and
    environments alike.
    """

    __tablename__ = "project"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    public_id: Mapped[str] = mapped_column(index=True)
    environment: Mapped[str]
    name: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    suspended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ApiKey(Base):
    """A key of one project and environment; only its SHA-256 is stored."""

    __tablename__ = "api_key"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    public_id: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    last_characters: Mapped[str]
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class SigningKey(Base):
    """A key of a customer's server, which signs URLs of private media with it."""

    __tablename__ = "signing_key"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    public_id: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    sealed_secret: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Token(Base):
    """An access or refresh token that was issued for a key."""

    __tablename__ = "token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    api_key_id: Mapped[UUID] = mapped_column(
        ForeignKey("api_key.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str]  # access | refresh
    digest: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


ANSWERS_KEPT = timedelta(hours=24)
"""For how long an answer is sent again."""


class KeptAnswer(Base):
    """The answer of a request with an `Idempotency-Key`, for those who ask again.

    `digest` covers the caller, method, path and key; `request_digest` what must then
    be the same. `project_id` is None for the operator. `sealed` is encrypted.
    """

    __tablename__ = "kept_answer"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    project_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    request_digest: Mapped[bytes]
    sealed: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
