"""Live streams, the events that are broadcast on them, and what is recorded of those."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Computed, DateTime, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base

LISTED = "deleted_at IS NULL"
"""The rows that `GET /live-streams` lists; the condition of its indexes."""

RUNNING = "ended_at IS NULL"


class LiveStream(Base):
    """A live stream: a name, a key to publish with, and what the API shows of it.

    The key is found by its SHA-256 and shown again from its sealed form, like those of
    `restreams` (`domains/live_streams/restreams.py`).
    """

    __tablename__ = "live_stream"
    __table_args__ = (
        *(
            Index(
                f"ix_live_stream_{column}",
                "project_id",
                column,
                "id",
                postgresql_where=text(LISTED),
            )
            for column in ("created_at", "updated_at", "name_start")
        ),
        Index("ix_live_stream_name_trigrams", "name_trigrams", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    public_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    key_digest: Mapped[bytes] = mapped_column(unique=True)
    sealed_key: Mapped[bytes]
    public: Mapped[bool] = mapped_column(default=True)
    player_id: Mapped[str | None]
    # What old clients set: None and true record, false does not; from the next event on.
    record: Mapped[bool | None]
    sealed_restreams: Mapped[bytes | None]
    thumbnail_key: Mapped[str | None]  # an uploaded picture
    # True from an event's first media until it ends, interruptions included.
    broadcasting: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # As those of videos: what names are sorted by, and how parts of them are found.
    name_start: Mapped[str] = mapped_column(
        Computed("left(name, 200)", persisted=True), deferred=True
    )
    name_trigrams: Mapped[list[str]] = mapped_column(
        ARRAY(Text), Computed("telecine_trigrams(name)", persisted=True), deferred=True
    )


class Broadcast(Base):
    """One live event: from its first media until it was completed or stayed away.

    `node` names the process that owns it, `address` (host:port) is where other nodes get its
    media, None: nowhere; `alive_at` is when it was heard of last, by the database's clock. At most
    one of a stream runs at a time.
    """

    __tablename__ = "broadcast"
    __table_args__ = (
        Index(
            "uq_broadcast_running",
            "live_stream_id",
            unique=True,
            postgresql_where=text(RUNNING),
        ),
        Index("ix_broadcast_live_stream_id", "live_stream_id"),
        Index("ix_broadcast_node", "node", postgresql_where=text(RUNNING)),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    live_stream_id: Mapped[UUID] = mapped_column(ForeignKey("live_stream.id", ondelete="CASCADE"))
    node: Mapped[str]
    address: Mapped[str | None]
    alive_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    # Somebody asked for the end; the owner hears of it and carries it out.
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Recording(Base):
    """A file that is or was written of an event: a fragmented MP4, readable at any time.

    Once it has ended its video has it (`video_public_id`), or there is none: it was too
    short, not wanted (`kept` is false: for rewinding only), or `failure` tells why.
    """

    __tablename__ = "recording"
    __table_args__ = (
        Index("ix_recording_broadcast_id", "broadcast_id"),
        Index("ix_recording_unfinished", "id", postgresql_where=text(RUNNING)),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    broadcast_id: Mapped[UUID] = mapped_column(ForeignKey("broadcast.id", ondelete="CASCADE"))
    key: Mapped[str]  # of the object that is written
    kept: Mapped[bool]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    video_public_id: Mapped[str | None]
    failure: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
