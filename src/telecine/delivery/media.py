"""What delivery knows of a video, kept in memory until a notification drops it.

Every change of a video sends its public id over `MEDIA_CHANGED` in the transaction
of the change, so a process answers from memory and is still never more than a
moment behind. While the notifying connection is down nothing is kept.
"""

import asyncio
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from telecine.db.engine import Database, Transaction
from telecine.delivery.texts import TextView
from telecine.domains.captions import queries as texts
from telecine.domains.captions.models import Caption
from telecine.domains.chapters.models import Chapter
from telecine.domains.encodings import objects, queries, speeds
from telecine.domains.encodings.models import Asset, AssetState, Growth, Rendition, RenditionState
from telecine.domains.players import queries as players
from telecine.domains.players.queries import ShownTheme
from telecine.domains.sources.models import Source, SourceState
from telecine.domains.sources.queries import arrived_extents, source_of
from telecine.domains.videos.delivered import DeliveredVideo, delivered_video
from telecine.last_used import LastUsed
from telecine.pipeline.codec import plan_from_json
from telecine.pipeline.extra import is_extra
from telecine.pipeline.model import Plan
from telecine.storage.extents import Extent, Extents
from telecine.storage.store import Store

_MEDIA_BYTES = 48 << 20
_PLANS_BYTES = 16 << 20  # mostly the same plans: they outlive changes of their media
_ONE_BYTES = 4 << 10  # of a media without its plan
_NUMBER_BYTES = 40  # of a tuple's integer: 2 h of key frames have some hundred KB of them


@dataclass(frozen=True, slots=True)
class RenditionView:
    """A rendition as delivery needs it."""

    id: UUID
    name: str
    passthrough: bool
    state: str
    init: bytes | None
    index_key: str | None
    peak_bps: int | None
    average_bps: int | None

    @property
    def stored(self) -> bool:
        """Tell whether every piece can be served without waiting."""
        return self.state == RenditionState.ENCODED


@dataclass(frozen=True, slots=True)
class AssetView:
    """A planned asset: everything that its playlists are made of."""

    id: UUID
    project_id: UUID
    epoch: int
    prefix: str
    plan: Plan
    source: Extents
    renditions: Mapping[str, RenditionView]
    """What viewers can ask for: beside the ladder, only what is stored."""

    still_key: str | None
    storyboard_key: str | None
    storyboard_offsets: Sequence[int] | None
    """Of the list of tiles, of each sheet, and the end; None: not made yet; empty: none."""
    revision: str = ""
    arrived: int = 0
    """How many segments can be served: all of the plan, unless the source still arrives."""

    growth: str | None = None
    viewer_px_per_s: int | None = None
    """What is encoded for a viewer who waits, in pixels a second; None: not measured yet."""

    @property
    def is_open(self) -> bool:
        """Tell whether more may come: its playlists have no end yet."""
        return self.growth in {Growth.OPEN, Growth.REPLACED}

    @property
    def complete(self) -> bool:
        """Tell whether nothing will change any more."""
        planned = all(rendition.name in self.renditions for rendition in self.plan.extra)
        stored = all(rendition.stored for rendition in self.renditions.values())
        return planned and stored and not self.is_open

    def etag(self, name: str, item: str) -> bytes:
        """Return the validator of what is made of a rendition, and changes with the epoch."""
        return f'"{self.id.hex[-12:]}-{name}-{item}"'.encode()


class Stage(enum.StrEnum):
    """What a video that cannot be played yet is waiting for."""

    EMPTY = "empty"  # a file
    UPLOADING = "uploading"  # the rest of a file
    INGESTING = "ingesting"  # the rest of a file that we fetch or copy
    PREPARING = "preparing"  # a look into the file
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Media:
    """A video and, once it is playable, its asset."""

    video: DeliveredVideo
    asset: AssetView | None
    stage: Stage
    theme: ShownTheme | None = None
    captions: Sequence[TextView] = ()
    chapters: Sequence[TextView] = ()

    @property
    def failed(self) -> bool:
        """Tell whether the video can never be played."""
        return self.stage == Stage.FAILED

    @property
    def thumbnail_key(self) -> str | None:
        """Return the picture to show: an uploaded one wins over the still."""
        if self.video.thumbnail_key is not None:
            return self.video.thumbnail_key
        return None if self.asset is None else self.asset.still_key


class MediaCache:
    """Media by public id. `forget` drops one, `forget_all` everything."""

    def __init__(self, db: Database, store: Store) -> None:
        self._db = db
        self._store = store
        self._media = LastUsed[str, Media](_MEDIA_BYTES, _media_bytes)
        self._plans = LastUsed[tuple[UUID, str], Plan](_PLANS_BYTES, _plan_bytes)
        self._loading: dict[str, asyncio.Future[Media | None]] = {}
        self._generation = 0
        self.keeps = False  # set while change notifications arrive

    def forget(self, public_id: str) -> None:
        """Drop what is known of one video: it has changed."""
        self._generation += 1
        self._media.pop(public_id)
        self._loading.pop(public_id, None)

    def forget_player(self, player_id: str) -> None:
        """Drop the videos that name a theme: that has changed."""
        self._generation += 1
        for video in [media.video for media in self._media.values()]:
            if video.player_id == player_id:
                self._media.pop(video.public_id)
        self._loading.clear()

    def forget_all(self) -> None:
        """Drop everything: notifications may have been missed."""
        self._generation += 1
        self._media.clear()
        self._loading.clear()

    def kept(self, public_id: str) -> Media | None:
        """Return what is known of a video, None if it would have to be looked up."""
        return self._media.get(public_id)

    async def get(self, public_id: str) -> Media | None:
        """Return the media of a video that may be delivered, None if there is none."""
        kept = self.kept(public_id)
        if kept is not None:
            return kept
        loading = self._loading.get(public_id)
        if loading is None:
            loading = asyncio.ensure_future(self._load(public_id))
            self._loading[public_id] = loading
            loading.add_done_callback(lambda _: self._loading.pop(public_id, None))
        return await asyncio.shield(loading)

    async def _load(self, public_id: str) -> Media | None:
        generation = self._generation
        async with self._db.transaction() as tx:
            video = await delivered_video(tx, public_id)
            if video is None:
                return None
            theme = None
            if video.player_id is not None:
                theme = await players.shown(tx, video.project_id, video.player_id)
            captions = await _captions(tx, video)
            chapters = await _chapters(tx, video)
            asset = await queries.shown_asset(tx, video.id)
            source = await source_of(tx, video.id)
            if asset is None or asset.state != AssetState.PLANNED:
                media = Media(video, None, _stage(source, asset), theme, captions, chapters)
                return self._keep(generation, public_id, media)
            rows = await queries.renditions_of(tx, asset.id)
            viewer_px_per_s = await speeds.slowest_px_per_s(tx)
            extents = [] if source is None else await arrived_extents(tx, source)
        plan = await self._plan(asset)
        stored = Extents(self._store, [Extent.from_json(extent) for extent in extents])
        is_open = asset.growth == Growth.OPEN
        view = AssetView(
            id=asset.id,
            project_id=asset.project_id,
            epoch=asset.epoch,
            prefix=asset.prefix,
            plan=plan,
            source=stored,
            renditions={row.name: _view(row) for row in rows if _is_served(row)},
            still_key=asset.still_key,
            storyboard_key=asset.storyboard_key,
            storyboard_offsets=asset.storyboard_offsets,
            revision=asset.revision,
            arrived=plan.arrived_segments(stored.size_bytes if is_open else None),
            growth=asset.growth,
            viewer_px_per_s=viewer_px_per_s,
        )
        return self._keep(
            generation, public_id, Media(video, view, Stage.READY, theme, captions, chapters)
        )

    def _keep(self, generation: int, public_id: str, media: Media) -> Media:
        # A change that arrived while we read may not be in what we read.
        if self.keeps and generation == self._generation:
            self._media.put(public_id, media)
        return media

    async def _plan(self, asset: Asset) -> Plan:
        known = asset.id, asset.revision
        plan = self._plans.get(known)
        if plan is None:
            key = objects.plan_key(asset.prefix, asset.revision)
            plan = plan_from_json(await self._store.read(key))
            self._plans.put(known, plan)
        return plan


def _plan_bytes(plan: Plan) -> int:
    counts = [plan.piece_cuts, plan.segment_pieces, plan.chunk_segments, plan.segment_bytes]
    if plan.audio is not None:
        counts.append(plan.audio.segment_packets)
    return _NUMBER_BYTES * sum(map(len, counts))


def _media_bytes(media: Media) -> int:
    return _ONE_BYTES + (0 if media.asset is None else _plan_bytes(media.asset.plan))


async def _captions(tx: Transaction, video: DeliveredVideo) -> list[TextView]:
    rows = await texts.tracks(tx, Caption, video.project_id, video.id)
    return [TextView.of(row, default=row.is_default) for row in rows]


async def _chapters(tx: Transaction, video: DeliveredVideo) -> list[TextView]:
    rows = await texts.tracks(tx, Chapter, video.project_id, video.id)
    return [TextView.of(row) for row in rows]


def _is_served(row: Rendition) -> bool:
    return not is_extra(row.name) or row.state == RenditionState.ENCODED


def _view(row: Rendition) -> RenditionView:
    return RenditionView(
        row.id,
        row.name,
        row.passthrough,
        row.state,
        row.init,
        row.index_key,
        row.peak_bps,
        row.average_bps,
    )


def _stage(source: Source | None, asset: Asset | None) -> Stage:
    """Return what a video without a planned asset is waiting for."""
    if source is not None and source.failure is not None:
        return Stage.FAILED
    if asset is not None and asset.growth != Growth.OPEN:
        return Stage.FAILED if asset.state == AssetState.FAILED else Stage.PREPARING
    if source is None:
        return Stage.EMPTY
    if source.lost:
        return Stage.FAILED
    return Stage.INGESTING if source.state == SourceState.INGESTING else Stage.UPLOADING
