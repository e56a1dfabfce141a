"""Captions of videos, and what they have in common with chapters."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, false
from sqlalchemy.orm import Mapped, mapped_column

from telecine.db.engine import Base


class TextTrack:
    """A WebVTT file of a video in one language; `header_bytes`: its first line."""

    video_id: Mapped[UUID] = mapped_column(
        ForeignKey("video.id", ondelete="CASCADE"), primary_key=True
    )
    language: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    key: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    header_bytes: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Caption(TextTrack, Base):
    """What is said, to be read; at most one of a video is shown unasked."""

    __tablename__ = "caption"
    __table_args__ = (Index("ix_caption_project_id", "project_id"),)

    is_default: Mapped[bool] = mapped_column(default=False)
    # Out of a transcript: those that were sent are never replaced by one.
    generated: Mapped[bool] = mapped_column(default=False, server_default=false())
