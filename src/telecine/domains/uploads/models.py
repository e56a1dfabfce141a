"""Upload tokens, and uploads that are resumed by their URL."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base


class UploadToken(Base):
    """A right to upload into one project, for whoever knows the token.

    The API shows tokens again for as long as they work, so they are stored as they are,
    not hashed: whoever reads this table may upload, and do nothing else. `ttl_s` is 0
    and `expires_at` None for a token that works until it is deleted.
    """

    __tablename__ = "upload_token"
    __table_args__ = (
        Index("ix_upload_token_created_at", "project_id", "created_at", "id"),
        Index("ix_upload_token_ttl_s", "project_id", "ttl_s", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    public_id: Mapped[str] = mapped_column(unique=True)
    ttl_s: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class TusUpload(Base):
    """An upload with a URL of its own, by which it is resumed.

    That of a video has the video's id; a partial one, which a concatenation makes use of,
    has no video, and an id of its own. `metadata_header` and `concat_header` are what the
    client sent and is told again.
    """

    __tablename__ = "tus_upload"
    __table_args__ = (
        Index("ix_tus_upload_project_id", "project_id"),
        Index("ix_tus_upload_source_id", "source_id"),
        Index("ix_tus_upload_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    public_id: Mapped[str] = mapped_column(unique=True)
    video_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("video.id", ondelete="CASCADE"), unique=True
    )
    # Of a partial upload, once something of it has come; that of a video hangs on the video.
    source_id: Mapped[UUID | None] = mapped_column(ForeignKey("source.id", ondelete="SET NULL"))
    made_video: Mapped[bool]  # the video was not there before
    length_bytes: Mapped[int | None] = mapped_column(BigInteger)  # as told at its creation
    file_name: Mapped[str]
    metadata_header: Mapped[str]
    concat_header: Mapped[str | None]
    upload_token_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class UploadWriter(Base):
    """The request that appends to a source at the moment: one at a time.

    It shows up every second; one that has not for some time is dead. `ending` asks it to
    make room for another. What it brings is only recorded while this row is its own.
    """

    __tablename__ = "upload_writer"

    source_id: Mapped[UUID] = mapped_column(
        ForeignKey("source.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[UUID]
    ending: Mapped[bool]
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
