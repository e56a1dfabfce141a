"""The outbox: what happened, written in the transaction that made it happen."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from telecine import ids
from telecine.db.engine import Base


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the SQL name of the type."""
        return "xid8"


class Event(Base):
    """One event. Readers take rows below the oldest running transaction.

    Keys are taken before the commit, so order by (xid, id) and stop at
    `pg_snapshot_xmin(pg_current_snapshot())`, or late committers are lost.
    """

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_xid_id", "xid", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    type: Mapped[str]
    media_id: Mapped[str | None]  # public id of the video or live stream
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    emitted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
