"""Reads of the pipeline's stored state."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.sql import column, table

from telecine.db.engine import Transaction
from telecine.domains.encodings.models import (
    Asset,
    AssetState,
    Rendition,
    RenditionState,
    Run,
    Step,
)
from telecine.domains.sources.queries import Ingest, ingest_of, source_of
from telecine.pipeline.extra import is_extra

DELETED = "deleted"
"""The failure of an asset whose video was deleted while it was being probed."""

AUDIO = "audio"
"""The name of the one audio rendition, and its folder in URLs."""


@dataclass(frozen=True, slots=True)
class Quality:
    """One line of the API's `encoding.qualities`."""

    type: str  # hls | mp4
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What `GET /videos/{id}/status` tells; `summary` describes the source."""

    ingest: Ingest | None = None
    playable: bool = False
    qualities: Sequence[Quality] = ()
    summary: dict[str, Any] = field(default_factory=dict)


# The row belongs to a domain above this one.
_VIDEO = table("video", column("id"), column("deleted_at"))

_NEWEST = (
    select(Asset).where(Asset.video_id == bindparam("of")).order_by(Asset.epoch.desc()).limit(1)
)
_LOCKED_NEWEST = _NEWEST.with_for_update(key_share=True)


async def lock_asset(tx: Transaction, asset_id: UUID) -> Asset | None:
    """Lock the asset's row: events of one video are written in order.

    Its key stays, so that whoever has locked a rendition can insert runs meanwhile.
    """
    found = select(Asset).where(Asset.id == asset_id).with_for_update(key_share=True)
    return (await tx.scalars(found)).one_or_none()


async def current_asset(tx: Transaction, video_id: UUID, *, lock: bool = False) -> Asset | None:
    """Return the newest asset of a video; `lock` keeps others from changing it."""
    newest = _LOCKED_NEWEST if lock else _NEWEST
    return (await tx.scalars(newest, {"of": video_id})).one_or_none()


async def shown_asset(tx: Transaction, video_id: UUID) -> Asset | None:
    """Return the asset that viewers get: an earlier one while the newest is being probed."""
    probing = Asset.state == AssetState.PROBING
    newest = select(Asset).where(Asset.video_id == video_id).order_by(probing, Asset.epoch.desc())
    return (await tx.scalars(newest.limit(1))).one_or_none()


async def is_removed(tx: Transaction, video_id: UUID) -> bool:
    """Tell whether a video was deleted, be its row still there or not."""
    alive = select(_VIDEO.c.id).where(_VIDEO.c.id == video_id, _VIDEO.c.deleted_at.is_(None))
    return await tx.scalar(alive) is None


async def stored_seconds(tx: Transaction, project_id: UUID) -> float:
    """Return how long all videos of a project are together, each as it is shown now."""
    newest = (
        select(Asset.duration_s)
        .where(Asset.project_id == project_id, Asset.duration_s.is_not(None))
        .ext(distinct_on(Asset.video_id))
        .order_by(Asset.video_id, Asset.epoch.desc())
        .subquery()
    )
    return float(await tx.scalar(select(func.sum(newest.c.duration_s))) or 0)


async def asset_of_public_id(tx: Transaction, public_id: str) -> Asset | None:
    """Return the newest asset of a video, for the operator, who sees all projects."""
    newest = select(Asset).where(Asset.public_id == public_id).order_by(Asset.epoch.desc()).limit(1)
    return (await tx.scalars(newest)).one_or_none()


async def renditions_of(tx: Transaction, asset_id: UUID) -> Sequence[Rendition]:
    """Return the renditions of an asset, in the order in which they were planned."""
    rows = select(Rendition).where(Rendition.asset_id == asset_id).order_by(Rendition.id)
    return (await tx.scalars(rows)).all()


async def runs_of(
    tx: Transaction, asset_id: UUID, rendition_ids: Sequence[UUID] | None = None
) -> Sequence[Run]:
    """Return the stored runs of an asset, by first piece."""
    rows = select(Run).where(Run.asset_id == asset_id).order_by(Run.first_piece)
    if rendition_ids is not None:
        rows = rows.where(Run.rendition_id.in_(rendition_ids))
    return (await tx.scalars(rows)).all()


async def steps_of(tx: Transaction, asset_id: UUID) -> Sequence[Step]:
    """Return what was done to an asset, oldest first."""
    rows = select(Step).where(Step.asset_id == asset_id).order_by(Step.started_at, Step.id)
    return (await tx.scalars(rows)).all()


def ladder(renditions: Sequence[Rendition]) -> list[Rendition]:
    """Return the qualities that the API tells of, lowest first: H.264, without the sound."""
    videos = [row for row in promised(renditions) if row.name != AUDIO]
    return sorted(videos, key=lambda row: int(row.name[:-1]))


def promised(renditions: Sequence[Rendition]) -> list[Rendition]:
    """Return what every player needs: all but the ladder in other codecs."""
    return [row for row in renditions if not is_extra(row.name)]


def lowest(renditions: Sequence[Rendition]) -> Rendition | None:
    """Return the smallest quality; None where there is only sound."""
    return next(iter(ladder(renditions)), None)


async def status(tx: Transaction, video_id: UUID, *, mp4_support: bool) -> SourceStatus:
    """Return the status of a video as the API tells it.

    A quality counts as `encoded` once its own pieces and the audio are stored.
    """
    source = await source_of(tx, video_id)
    if source is None:
        return SourceStatus()
    ingest = await ingest_of(tx, source)
    failed = Quality("hls", "240p", RenditionState.FAILED)
    if source.lost:
        return SourceStatus(ingest, qualities=(failed,))
    asset = await shown_asset(tx, video_id)
    if asset is None or asset.state == AssetState.PROBING:
        return SourceStatus(ingest)
    rows = await renditions_of(tx, asset.id)
    qualities = quality_list(rows, mp4_support=mp4_support)
    if asset.state == AssetState.FAILED:
        return SourceStatus(ingest, qualities=qualities or (failed,), summary=asset.summary)
    return SourceStatus(ingest, playable=True, qualities=qualities, summary=asset.summary)


def quality_list(renditions: Sequence[Rendition], *, mp4_support: bool) -> list[Quality]:
    """Return one `hls` entry per quality, lowest first, and the `mp4` entry of the top."""
    audio = next((row for row in renditions if row.name == AUDIO), None)
    videos = ladder(renditions)
    if not videos:
        return [Quality("hls", "240p", audio.state)] if audio else []
    entries = [Quality("hls", row.name, joint_state(row, audio)) for row in videos]
    if mp4_support:
        entries.append(Quality("mp4", entries[-1].name, entries[-1].state))
    return entries


def joint_state(video: Rendition, audio: Rendition | None) -> str:
    """Return the state that a viewer sees: video and audio together."""
    states = {video.state} if audio is None else {video.state, audio.state}
    if RenditionState.FAILED in states:
        return RenditionState.FAILED
    if states == {RenditionState.ENCODED}:
        return RenditionState.ENCODED
    if states == {RenditionState.WAITING}:
        return RenditionState.WAITING
    return RenditionState.ENCODING
