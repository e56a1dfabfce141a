"""Upload tokens: the right to upload, given to somebody who has no key."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index
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
