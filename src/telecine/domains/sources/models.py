"""The files that videos are made from, and the parts in which they arrive."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, DateTime, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base


class SourceState(enum.StrEnum):
    """How far the source of a video has come (the API's `ingest.status`)."""

    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    INGESTING = "ingesting"
    INGESTED = "ingested"


COMPLETE = frozenset({SourceState.UPLOADED, SourceState.INGESTED})
"""States in which all bytes are stored."""


class Mode(enum.StrEnum):
    """How a source says which of its bytes a request carries."""

    WHOLE = "whole"  # one request has them all
    PARTS = "parts"  # the part's number, from 1
    BYTES = "bytes"  # the first byte's offset


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose file it is. `prefix`: the folder of its objects, ends with a slash."""

    project_id: UUID
    video_id: UUID | None
    prefix: str


class Source(Base):
    """A file: how far it has arrived and, once it is complete, where its bytes lie.

    `extents` is a JSON list of `{"key", "offset", "size"}` in file order (bytes), made
    from the parts when the last of them is stored.
    """

    __tablename__ = "source"
    __table_args__ = (
        Index(
            "ix_source_unfinished",
            "updated_at",
            postgresql_where=text("completed_at IS NULL"),
        ),
        Index(
            "ix_source_group_key",
            "upload_token_id",
            "group_key",
            postgresql_where=text("completed_at IS NULL AND group_key IS NOT NULL"),
        ),
        Index(
            "ix_source_origin_video",
            "project_id",
            "origin_video",
            postgresql_where=text("completed_at IS NULL AND origin_video IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    # None: a part of a concatenation, which no video has yet.
    video_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("video.id", ondelete="CASCADE"), unique=True
    )
    state: Mapped[str]
    mode: Mapped[str | None]  # None until something is stored
    total: Mapped[int | None] = mapped_column(BigInteger)  # bytes or parts, once known
    file_name: Mapped[str]
    prefix: Mapped[str]  # folder in the store, ends with "/"
    key: Mapped[str]  # the object that parts are written into in place
    # Size of a part that is not the last: says where the others lie in that object.
    unit_bytes: Mapped[int | None] = mapped_column(BigInteger)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    extents: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    # What is not an upload.
    origin_url: Mapped[str | None]
    origin_video: Mapped[str | None]  # public id
    failure: Mapped[str | None]  # why it can never be complete
    # Uploads by token: which one, and which chunks without an id belong together.
    upload_token_id: Mapped[UUID | None]
    group_key: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def lost(self) -> bool:
        """Tell whether it is a recording of ours that nobody can read."""
        fetched = self.origin_url is not None or self.origin_video is not None
        return self.failure is not None and not fetched


class Part(Base):
    """A stretch of a source: claimed by the request that carries it, then stored.

    `number` counts from 1 in mode PARTS and is the offset of the first byte in mode
    BYTES. The bytes [place_start, place_end) of the source's object belong to the first
    claim that named them, also after it was given up without a trace: whoever comes
    later writes to an object of its own.
    """

    __tablename__ = "source_part"
    __table_args__ = (
        Index(
            "uq_source_part_number",
            "source_id",
            "number",
            unique=True,
            postgresql_where=text("stored_at IS NOT NULL"),
        ),
        Index("ix_source_part_source_id", "source_id"),
        Index(
            "ix_source_part_claimed_at",
            "claimed_at",
            postgresql_where=text("stored_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    source_id: Mapped[UUID] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(BigInteger)
    own_key: Mapped[str]  # an object for what does not fit in place
    place_start: Mapped[int | None] = mapped_column(BigInteger)
    place_end: Mapped[int | None] = mapped_column(BigInteger)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    extents: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    # Whether the client knows: until then it may send the part again.
    answered: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    claimed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    stored_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class FetchState(enum.StrEnum):
    """How far the work on a source that is not an upload has come."""

    WAITING = "waiting"  # for a worker, or for the original of a copy
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"


class Fetch(Base):
    """The work of getting a source by ourselves: a download, or a copy of another one.

    `run` names the job that works on it; a job that finds another one's name there was
    taken for dead and stops.
    """

    __tablename__ = "source_fetch"

    source_id: Mapped[UUID] = mapped_column(
        ForeignKey("source.id", ondelete="CASCADE"), primary_key=True
    )
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    state: Mapped[str]
    run: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    # What tells versions of the file apart: its ETag or date, fit for If-Range.
    validator: Mapped[str | None]
    # Segments that are stored, where the file comes in segments.
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    reason: Mapped[str | None]  # of the last failure
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
