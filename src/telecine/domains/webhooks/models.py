"""The outbox: what happened, who wants to hear of it, and how far they were told."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    UniqueConstraint,
    func,
    text,
)
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
    __table_args__ = (
        Index("ix_event_xid_id", "xid", "id"),
        Index("ix_event_emitted_at", "emitted_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    type: Mapped[str]
    media_id: Mapped[str]  # public id of the video or live stream
    # Text, not JSONB: the members keep their order, which signatures cover.
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    emitted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class EventCursor(Base):
    """How far one reader of all events has come: the last event it took."""

    __tablename__ = "event_cursor"

    reader: Mapped[str] = mapped_column(primary_key=True)
    xid: Mapped[int] = mapped_column(Xid8)
    event_id: Mapped[UUID]


class Webhook(Base):
    """A URL that is told of some events. `secret` is sealed for the public id."""

    __tablename__ = "webhook"
    __table_args__ = (Index("ix_webhook_project_id_created_at", "project_id", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    public_id: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]
    host: Mapped[str]  # and port: what attempts at a time are counted by
    events: Mapped[list[str]] = mapped_column(ARRAY(String))
    secret: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Delivery(Base):
    """One event for one webhook; `position` is the order of events.

    Of one webhook and media only the first that is waiting may be under way.
    `lease_until`: some worker (`owner`) tries it until then. `answer` is the beginning
    of the body of the last reply, `error` why there was none.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_delivery_due", "next_at", "position", postgresql_where=text("state = 'waiting'")),
        Index(
            "ix_delivery_turn",
            *("webhook_id", "media_id", "position"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_delivery_log", "webhook_id", "position"),
        Index("ix_delivery_event_id", "event_id"),
        Index("ix_delivery_project_id", "project_id"),
    )

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True, server_default=text("gen_random_uuid()"))
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("event.id", ondelete="CASCADE"))
    media_id: Mapped[str]
    host: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    next_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    give_up_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    tried_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    status: Mapped[int | None] = mapped_column(Integer)
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    answer: Mapped[str | None]
    error: Mapped[str | None]
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
