"""The table of videos."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base

LISTED = "discarded_at IS NULL AND deleted_at IS NULL"
"""The rows that `GET /videos` lists; the condition of its indexes."""

DISCARDED = "discarded_at IS NOT NULL AND deleted_at IS NULL"


class Video(Base):
    """A video: what the API shows of it. Its media is in `encodings`."""

    __tablename__ = "video"
    __table_args__ = (
        *(
            Index(
                f"ix_video_{column}",
                "project_id",
                column,
                "id",
                postgresql_where=text(LISTED),
            )
            for column in ("created_at", "published_at", "updated_at", "title_start")
        ),
        Index("ix_video_title_trigrams", "title_trigrams", postgresql_using="gin"),
        Index("ix_video_description_trigrams", "description_trigrams", postgresql_using="gin"),
        Index("ix_video_tags", "tags", postgresql_using="gin"),
        Index("ix_video_metadata_pairs", "metadata_pairs", postgresql_using="gin"),
        Index("ix_video_live_stream_id", "project_id", "live_stream_id"),
        Index("ix_video_discarded", "project_id", "id", postgresql_where=text(DISCARDED)),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    public_id: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    public: Mapped[bool] = mapped_column(default=True)
    panoramic: Mapped[bool] = mapped_column(default=False)
    mp4_support: Mapped[bool] = mapped_column(default=True)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    # An ordered list of {"key", "value"}; `metadata_pairs` is its searchable form.
    metadata_: Mapped[list[dict[str, str]]] = mapped_column("metadata", JSONB, default=list)
    player_id: Mapped[str | None]
    language: Mapped[str | None]
    language_origin: Mapped[str | None]
    live_stream_id: Mapped[str | None]
    clip: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # What `watermarks.operations.burning` returned, in the order in which they are drawn.
    watermarks: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    # The picture shown before playback: an uploaded one, else the asset's still,
    # taken at `thumbnail_at_ms` or, None, where the pipeline likes it best.
    thumbnail_key: Mapped[str | None]
    thumbnail_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    # How often its media was cut: URLs of segments are never used a second time.
    epochs: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    published_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    discarded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    deletes_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), index=True)
    # Set by DELETE; a job then removes the objects and, last, the row.
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # What titles are sorted by: an entry of an index holds less than 2.7 kB, and a column
    # (unlike an expression) lets a deep page be found without reading the rows.
    title_start: Mapped[str] = mapped_column(
        Computed("left(title, 200)", persisted=True), deferred=True
    )
    title_trigrams: Mapped[list[str]] = mapped_column(
        ARRAY(Text), Computed("telecine_trigrams(title)", persisted=True), deferred=True
    )
    description_trigrams: Mapped[list[str]] = mapped_column(
        ARRAY(Text), Computed("telecine_trigrams(description)", persisted=True), deferred=True
    )
    metadata_pairs: Mapped[list[str]] = mapped_column(
        ARRAY(Text), Computed("telecine_pairs(metadata)", persisted=True), deferred=True
    )


class UsedToken(Base):
    """A one-time token that was used up; only its SHA-256 is stored.

    `viewer` may come back for a while without a session, None: nobody may.
    """

    __tablename__ = "used_token"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    viewer: Mapped[bytes | None]
    used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class VideoCount(Base):
    """Exact numbers of videos, kept by a trigger in slots to spread the row locks.

    `listed` is true for videos that `GET /videos` shows, false for discarded ones.
    """

    __tablename__ = "video_count"

    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), primary_key=True
    )
    listed: Mapped[bool] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    videos: Mapped[int] = mapped_column(BigInteger, default=0)
