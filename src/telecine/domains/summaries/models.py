"""Summaries of videos: what is in them, in words."""

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base


class Origin(enum.StrEnum):
    """Who writes a summary."""

    API = "api"
    AUTO = "auto"


class SourceStatus(enum.StrEnum):
    """Whether the words of a summary are there."""

    MISSING = "missing"
    WAITING = "waiting"
    FAILED = "failed"
    COMPLETED = "completed"
    UNPROCESSABLE = "unprocessable"


class Summary(Base):
    """The summary of a video; there is one at most, and it goes with its video."""

    __tablename__ = "summary"
    __table_args__ = (Index("ix_summary_created_at", "project_id", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    video_id: Mapped[UUID] = mapped_column(ForeignKey("video.id", ondelete="CASCADE"), unique=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    origin: Mapped[str]
    source_status: Mapped[str]
    abstract: Mapped[str] = mapped_column(default="")
    takeaways: Mapped[list[str]] = mapped_column(JSONB, default=list)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
