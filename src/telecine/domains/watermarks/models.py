"""Pictures that are burnt into videos, and which videos use them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base

LISTED = "stored_at IS NOT NULL AND deleted_at IS NULL"


class Watermark(Base):
    """A picture, stored as PNG under `key` whatever it was uploaded as.

    The row is there before the object, with `stored_at` None, and longer: a deleted one
    is unknown to the API at once, and removed when no video uses it any more.
    """

    __tablename__ = "watermark"
    __table_args__ = (
        Index("ix_watermark_created_at", "project_id", "created_at", "id"),
        Index("ix_watermark_unlisted", "id", postgresql_where=text(f"NOT ({LISTED})")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    public_id: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str]
    width_px: Mapped[int]
    height_px: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    stored_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class WatermarkUse(Base):
    """A video that shows a watermark: it is encoded with its picture, perhaps again."""

    __tablename__ = "watermark_use"
    __table_args__ = (Index("ix_watermark_use_video_id", "video_id"),)

    watermark_id: Mapped[UUID] = mapped_column(
        ForeignKey("watermark.id", ondelete="CASCADE"), primary_key=True
    )
    video_id: Mapped[UUID] = mapped_column(
        ForeignKey("video.id", ondelete="CASCADE"), primary_key=True
    )
