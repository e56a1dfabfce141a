"""Who watched what: one row for each playback, its events, and plays of all time.

Plain tables. Partitions by week would let old rows go at once instead of by DELETE; the
keys are such that a later migration can make them.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base


class Playback(Base):
    """One media loaded once by one player; several make up a session (tab and media).

    `key` is the digest of session, playback and media as the player named them. Times are
    the server's: the player's own plus `skew_ms`, taken from the first ping. `spans` holds
    what `timeline` needs to go on, `watched` and `watched_ms` are made from it. `viewer` is
    a keyed hash of address and user agent, another one each day.
    """

    __tablename__ = "playback"
    __table_args__ = (
        Index("ix_playback_media", "project_id", "media_id", "loaded_at"),
        Index("ix_playback_session_id", "project_id", "session_id"),
        # Of this kind, an index does not keep updates of a row from staying in its page.
        Index("ix_playback_last_at", "last_at", postgresql_using="brin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    key: Mapped[bytes] = mapped_column(unique=True)
    session_id: Mapped[str]
    generation: Mapped[int] = mapped_column(SmallInteger)
    media_id: Mapped[str]
    media_type: Mapped[str]
    loaded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    impression_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    load_ms: Mapped[int | None] = mapped_column(Integer)
    watched: Mapped[Any] = mapped_column(TSTZMULTIRANGE, server_default=text("'{}'"))
    watched_ms: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    spans: Mapped[list[list[int]]] = mapped_column(JSONB, server_default=text("'[]'"))
    skew_ms: Mapped[int] = mapped_column(BigInteger)
    position_s: Mapped[float | None]
    event_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    viewer: Mapped[bytes]
    referrer: Mapped[str]
    # The session's own `metadata`; that name is taken in a declarative class.
    labels: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    country: Mapped[str | None]
    continent: Mapped[str | None]
    city: Mapped[str | None]
    device_type: Mapped[str]
    device_vendor: Mapped[str | None]
    device_model: Mapped[str | None]
    os: Mapped[str]
    os_version: Mapped[str | None]
    browser: Mapped[str]
    browser_version: Mapped[str | None]


class PlayEvent(Base):
    """What the viewer of a playback did. Its key is all of it: told twice, it is one."""

    __tablename__ = "play_event"

    playback_id: Mapped[UUID] = mapped_column(
        ForeignKey("playback.id", ondelete="CASCADE"), primary_key=True
    )
    # By the player's clock: that is what it repeats.
    emitted_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    at_s: Mapped[float] = mapped_column(primary_key=True)  # where a seek leads, for seeks
    from_s: Mapped[float | None]
    # Among those of its ping, which may be of the same millisecond.
    place: Mapped[int] = mapped_column(SmallInteger)


class PlayTotal(Base):
    """How often a media was played since it exists, whatever is kept of it."""

    __tablename__ = "play_total"

    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), primary_key=True
    )
    media_id: Mapped[str] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    plays: Mapped[int] = mapped_column(BigInteger)
