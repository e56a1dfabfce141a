"""What is said in videos: transcripts that were asked for, and summaries."""

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base


class TranscriptState(enum.StrEnum):
    """How far the transcript of a video has come."""

    WAITING = "waiting"  # for the media, or for its turn
    FAILED = "failed"
    COMPLETED = "completed"
    UNPROCESSABLE = "unprocessable"  # nobody speaks


class Transcript(Base):
    """That a video is to be transcribed, and what came of it; the words are a caption.

    `round` counts the requests: what an earlier one still finds is not taken over.
    """

    __tablename__ = "transcript"

    video_id: Mapped[UUID] = mapped_column(
        ForeignKey("video.id", ondelete="CASCADE"), primary_key=True
    )
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    language: Mapped[str | None]  # that was asked for, None: to be recognised
    spoken: Mapped[str | None]  # the language of the words, once they are there
    state: Mapped[str]
    failure: Mapped[str | None]  # machine-readable reason, then detail
    round: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


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


ATTRIBUTES = ("abstract", "takeaways")
"""What a summary consists of."""


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
    attributes: Mapped[list[str]] = mapped_column(
        JSONB, server_default=text("""'["abstract", "takeaways"]'::jsonb""")
    )
    abstract: Mapped[str] = mapped_column(default="")
    takeaways: Mapped[list[str]] = mapped_column(JSONB, default=list)
    failure: Mapped[str | None]  # as of a transcript
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
