"""The looks of the player that a project has made."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base


class PlayerTheme(Base):
    """A theme: `choices` has what is not as in `themes.DEFAULTS`.

    Videos name it by its public id and outlive it. The logo is a PNG of a few kilobytes
    and lives in the row, so that it changes with it.
    """

    __tablename__ = "player_theme"
    __table_args__ = tuple(
        Index(f"ix_player_theme_{column}", "project_id", column, "id")
        for column in ("created_at", "updated_at", "name")
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    public_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    choices: Mapped[dict[str, Any]] = mapped_column(JSONB)
    logo: Mapped[bytes | None] = mapped_column(deferred=True)
    # Another one with each logo, for caches.
    logo_tag: Mapped[str | None]
    logo_link: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
