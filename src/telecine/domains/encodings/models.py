"""The pipeline's stored state: assets, renditions, runs of pieces."""

import enum
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base


class AssetState(enum.StrEnum):
    """How far the playable form of a source has come."""

    PROBING = "probing"
    PLANNED = "planned"  # playable; the ladder may still be filling in
    FAILED = "failed"


class Growth(enum.StrEnum):
    """Of an asset that was made while its source arrived; None: it was made afterwards."""

    OPEN = "open"  # the source still arrives
    CLOSED = "closed"
    REPLACED = "replaced"  # by a later epoch, which may not be playable yet


class RenditionState(enum.StrEnum):
    """The API's quality status."""

    WAITING = "waiting"
    ENCODING = "encoding"
    ENCODED = "encoded"
    FAILED = "failed"


class Asset(Base):
    """One cutting (`epoch`) of a source. Objects lie below `prefix` in the store."""

    __tablename__ = "asset"
    __table_args__ = (UniqueConstraint("video_id", "epoch"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    video_id: Mapped[UUID] = mapped_column(ForeignKey("video.id", ondelete="CASCADE"))
    source_id: Mapped[UUID] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"), index=True)
    public_id: Mapped[str] = mapped_column(index=True)  # of the video
    prefix: Mapped[str]  # folder in the store, ends with "/"
    epoch: Mapped[int] = mapped_column(Integer)
    state: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    # What `encoding.metadata` of the API tells about the source.
    summary: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    duration_s: Mapped[float | None]
    failure: Mapped[str | None]  # machine-readable reason, then detail
    still_key: Mapped[str | None]  # a picture taken from the source
    # One object: the list of tiles, then the sheets. `offsets` as in a run; null: not made
    # yet, empty: there is none to make.
    storyboard_key: Mapped[str | None]
    storyboard_offsets: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    # What `handlers.report` found; null: nobody has looked yet.
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # What is wrong with a source that plays all the same: see `explanations.REMARKS`.
    remarks: Mapped[list[str]] = mapped_column(JSONB, default=list)
    chunks: Mapped[int] = mapped_column(Integer, default=0)  # that may be encoded
    next_chunk: Mapped[int] = mapped_column(Integer, default=0)  # first one not enqueued
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    playable_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # Playing while the source arrives.
    growth: Mapped[str | None]
    revision: Mapped[str] = mapped_column(default="")  # of plan and probe; see `objects`
    earlier_revision: Mapped[str] = mapped_column(default="")  # which some may still read
    arrived: Mapped[int] = mapped_column(Integer, default=0)  # segments, as last recorded
    look_from_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    look_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # not before


class Rendition(Base):
    """One playable quality of an asset, or its audio (`name` is then "audio")."""

    __tablename__ = "rendition"
    __table_args__ = (UniqueConstraint("asset_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    asset_id: Mapped[UUID] = mapped_column(ForeignKey("asset.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    passthrough: Mapped[bool]
    state: Mapped[str]
    failure: Mapped[str | None]
    pieces: Mapped[int] = mapped_column(Integer)
    pieces_stored: Mapped[int] = mapped_column(Integer, default=0)
    init: Mapped[bytes | None]  # init segment, the same bytes from every encode
    # Object that lists all pieces; written once, when the last piece is stored.
    index_key: Mapped[str | None]
    peak_bps: Mapped[int | None] = mapped_column(BigInteger)
    average_bps: Mapped[int | None] = mapped_column(BigInteger)
    encoded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # Instead of the plan's, once the first chunk has told of the title; see `per_title`.
    crf: Mapped[float | None]


class Run(Base):
    """A stretch of pieces, back to back in one object.

    `offsets` has one element more than there are pieces: piece `first + i` is the
    bytes [offsets[i], offsets[i + 1]) of the object.
    """

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("rendition_id", "first_piece"),
        Index("ix_run_asset_id", "asset_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    asset_id: Mapped[UUID] = mapped_column(ForeignKey("asset.id", ondelete="CASCADE"))
    rendition_id: Mapped[UUID] = mapped_column(ForeignKey("rendition.id", ondelete="CASCADE"))
    first_piece: Mapped[int] = mapped_column(Integer)
    object_key: Mapped[str] = mapped_column(index=True)
    offsets: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class MachineSpeed(Base):
    """How fast a machine encodes for one viewer; see `speeds`."""

    __tablename__ = "machine_speed"

    host: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]  # of its processor and ffmpeg: another one is measured anew
    px_per_s: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Want(Base):
    """A segment that viewers wait for and nobody has stored; see `wants`."""

    __tablename__ = "jit_want"
    __table_args__ = (Index("ix_jit_want_wanted_until", "wanted_until"),)

    rendition_id: Mapped[UUID] = mapped_column(
        ForeignKey("rendition.id", ondelete="CASCADE"), primary_key=True
    )
    segment: Mapped[int] = mapped_column(Integer, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    asset_id: Mapped[UUID] = mapped_column(ForeignKey("asset.id", ondelete="CASCADE"), index=True)
    asked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    wanted_until: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    attempts: Mapped[int] = mapped_column(Integer)
    failure: Mapped[str | None]
    ahead: Mapped[bool] = mapped_column(server_default=text("false"))  # of any viewer


class Step(Base):
    """What a job did to an asset, for people: `/_/videos/{id}/jobs`.

    One row per job key; `detail` holds figures or the reason of a failure.
    """

    __tablename__ = "step"
    __table_args__ = (UniqueConstraint("asset_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    asset_id: Mapped[UUID] = mapped_column(ForeignKey("asset.id", ondelete="CASCADE"))
    name: Mapped[str]
    state: Mapped[str]  # running | done | failed | retrying
    attempt: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
