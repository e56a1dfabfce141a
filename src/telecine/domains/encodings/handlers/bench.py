"""The place where media work is done: what every handler needs at hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.encodings import explanations, objects, queries
from telecine.domains.encodings.models import Asset, Rendition, Step
from telecine.domains.sources.models import Source
from telecine.domains.sources.queries import arrived_extents, stretches
from telecine.ffmpeg.meter import Meter, metered
from telecine.ffmpeg.runner import Brake, MediaError, Runner, RunnerError
from telecine.jobs.worker import PermanentFailure
from telecine.last_used import LastUsed
from telecine.pipeline.codec import plan_from_json, probe_from_json
from telecine.pipeline.encoders import Encoder
from telecine.pipeline.model import Plan, Probe
from telecine.pipeline.probe import Apart, Prober
from telecine.pipeline.reader import SourceReader
from telecine.pipeline.sample_index import SampleIndex
from telecine.pipeline.stored_index import StoredIndex
from telecine.storage.extents import Extent, Extents
from telecine.storage.spool import Spool
from telecine.storage.store import Store

log = structlog.get_logger()

_KEPT_BYTES = 12 << 20
_ONE_BYTES = 768 << 10  # of an asset beside its sample index: 2 h of MP4 have 13 MB of that
_TELL_EVERY_S = 2.0
REASON_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Material:
    """The immutable objects of a planned asset."""

    plan: Plan
    probe: Probe
    samples: SampleIndex | None
    watermarks: tuple[bytes, ...] = ()  # the pictures of the plan's, PNG
    index_bytes: int = 0  # of the stored object that `samples` is a view of


@dataclass(frozen=True, slots=True)
class Bench:
    """Database, store and runner of one worker process."""

    db: Database
    store: Store
    runner: Runner
    prober: Prober
    spool: Spool
    hardware: Encoder | None = None
    """What encodes H.264 in place of software, if it was seen to do that."""

    extra_codecs: tuple[str, ...] = ()
    """In which videos are encoded as well, beside H.264."""

    brake: Brake = field(default_factory=Brake)
    """Holds the ladder's encodes of this process while viewers wait for others."""

    _materials: LastUsed[tuple[UUID, str], Material] = field(
        default_factory=lambda: LastUsed(_KEPT_BYTES, lambda known: _ONE_BYTES + known.index_bytes)
    )

    async def asset(self, asset_id: UUID) -> tuple[Asset, Source] | None:
        """Return an asset and its source, None if they were removed.

        The extents of a source that still arrives are those of its beginning.
        """
        async with self.db.transaction() as tx:
            asset = await tx.get(Asset, asset_id)
            source = None if asset is None else await tx.get(Source, asset.source_id)
            if asset is None or source is None:
                return None
            extents = await arrived_extents(tx, source)
            tx.expunge(source)  # it has them for its reader, not for the database
        source.extents = extents
        return asset, source

    def source(self, source: Source) -> Extents:
        """Return a reader of the source's bytes, as far as they have arrived."""
        extents = [Extent.from_json(stored) for stored in source.extents]
        return Extents(self.store, extents, beginning=source.completed_at is None)

    async def apart(self, source: Source, byte: int) -> Apart | None:
        """Return what is stored of a source behind its beginning: where `byte` is, or the end.

        Uploaders that know their file send its index first, wherever it lies.
        """
        async with self.db.transaction() as tx:
            found = [each for each in await stretches(tx, source) if each.start > 0]
        holding = [each for each in found if each.start <= byte < each.end]
        if not found:
            return None
        chosen = (holding or found)[-1]
        return Apart(chosen.start, Extents(self.store, chosen.extents))

    def arrived(self, plan: Plan, source: Source) -> int:
        """Return how many segments of a plan can be made of what has arrived."""
        whole = source.completed_at is not None
        return plan.arrived_segments(None if whole else self.source(source).size_bytes)

    @asynccontextmanager
    async def encodable(self, source: Source, material: Material) -> AsyncIterator[SourceReader]:
        """Hold the source as encodes read it: as one file where no index cuts it for them."""
        reader = self.source(source)
        if material.samples is not None:
            yield reader
            return
        async with self.spool.local(reader) as file:
            yield file

    async def material(self, asset: Asset) -> Material:
        """Return what is known of an asset; kept for the next job."""
        known = asset.id, asset.revision
        kept = self._materials.get(known)
        if kept is None:
            plan = plan_from_json(
                await self.store.read(objects.plan_key(asset.prefix, asset.revision))
            )
            probe = probe_from_json(
                await self.store.read(objects.probe_key(asset.prefix, asset.revision))
            )
            samples, index_bytes = None, 0
            if probe.indexed:
                key = objects.samples_key(asset.prefix, asset.revision)
                data = await self.store.read(key)
                samples, index_bytes = SampleIndex.from_bytes(memoryview(data)), len(data)
            watermarks = [
                await self.store.read(stored["key"])
                for stored in asset.options.get("watermarks", ())
            ]
            kept = Material(plan, probe, samples, tuple(watermarks), index_bytes)
            self._materials.put(known, kept)
        return kept

    @asynccontextmanager
    async def step(self, asset: Asset, name: str) -> AsyncIterator[dict[str, Any]]:
        """Record what a job does to an asset; the block fills in the detail.

        A `MediaError` inside becomes a `PermanentFailure`: another attempt at the
        same bytes would end the same way. What `detail` says meanwhile is told as well.
        """
        detail: dict[str, Any] = {}
        await self._write_step(asset, name, "running", detail)
        started_s = clock.monotonic_s()
        with metered() as meter:
            try:
                async with self._telling(asset, name, detail):
                    yield detail
            except MediaError as error:
                _explain(detail, str(error), meter)
                await self._write_step(asset, name, "failed", detail)
                log.warning("step failed", step=name, video=asset.public_id, reason=str(error))
                raise PermanentFailure(str(error)) from error
            except Exception as error:
                reason = (
                    str(error)
                    if isinstance(error, RunnerError | PermanentFailure)
                    else (f"{type(error).__name__}: {error}")
                )
                _explain(detail, reason, meter)
                await self._write_step(asset, name, "retrying", detail)
                raise
        detail["seconds"] = round(clock.monotonic_s() - started_s, 3)
        detail["cpu_s"] = round(meter.cpu_s, 3)
        if meter.troubles:
            detail["troubles"] = [explanations.cleaned(each)[:300] for each in meter.troubles]
        await self._write_step(asset, name, "done", detail)

    @asynccontextmanager
    async def _telling(
        self, asset: Asset, name: str, detail: dict[str, Any]
    ) -> AsyncIterator[None]:
        """Write down what changes in `detail` while the block runs."""
        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(self._tell(asset, name, detail))
                yield
                telling.cancel()
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the block's: telling itself does not fail

    async def _tell(self, asset: Asset, name: str, detail: dict[str, Any]) -> None:
        told: dict[str, Any] = {}
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            if detail == told:
                continue
            told = dict(detail)
            try:
                async with self.db.transaction() as tx:
                    await tx.execute(
                        update(Step)
                        .where(
                            Step.project_id == asset.project_id,
                            Step.asset_id == asset.id,
                            Step.name == name,
                            Step.state == "running",
                        )
                        .values(detail=told)
                    )
            except SQLAlchemyError as error:  # the end of the step matters, this does not
                log.warning("progress not told", step=name, reason=str(error))

    async def _write_step(
        self, asset: Asset, name: str, state: str, detail: dict[str, Any]
    ) -> None:
        now = clock.now()
        row = insert(Step).values(
            project_id=asset.project_id,
            asset_id=asset.id,
            name=name,
            state=state,
            detail=detail,
            started_at=now,
            finished_at=None if state == "running" else now,
        )
        changes: dict[str, Any] = {"state": state, "detail": row.excluded.detail}
        if state == "running":
            changes |= {"attempt": Step.attempt + 1, "started_at": now, "finished_at": None}
        else:
            changes |= {"finished_at": now}
        async with self.db.transaction() as tx:
            if await tx.get(Asset, asset.id) is None:
                return  # removed meanwhile: there is nobody left to tell
            await tx.execute(row.on_conflict_do_update(constraint="uq_step_asset_id", set_=changes))


def _explain(detail: dict[str, Any], reason: str, meter: Meter) -> None:
    """Put into a step's detail why it failed."""
    detail.pop("progress", None)
    detail["reason"] = explanations.cleaned(reason)[:REASON_CHARACTERS]
    detail["cpu_s"] = round(meter.cpu_s, 3)
    detail["log"] = explanations.log_lines(meter.last_words)
    if meter.troubles:
        detail["troubles"] = [explanations.cleaned(each)[:300] for each in meter.troubles]


async def stored_pieces(bench: Bench, asset: Asset) -> dict[UUID, set[int]]:
    """Return the stored pieces of each rendition that is not finished."""
    async with bench.db.transaction() as tx:
        held: dict[UUID, set[int]] = {}
        for run in await queries.runs_of(tx, asset.id):
            pieces = range(run.first_piece, run.first_piece + len(run.offsets) - 1)
            held.setdefault(run.rendition_id, set()).update(pieces)
        return held


async def stored_piece(
    bench: Bench, asset: Asset, rendition: Rendition, piece: int
) -> bytes | None:
    """Return a piece of an encoded rendition; None while it is not stored."""
    if rendition.index_key is not None:
        index = StoredIndex.from_bytes(await bench.store.read(rendition.index_key))
        ((key, offset, size),) = index.ranges(piece, piece + 1)
        return await bench.store.read(key, offset, offset + size)
    async with bench.db.transaction() as tx:
        runs = await queries.runs_of(tx, asset.id, [rendition.id])
    for run in runs:
        at = piece - run.first_piece
        if 0 <= at < len(run.offsets) - 1:
            return await bench.store.read(run.object_key, run.offsets[at], run.offsets[at + 1])
    return None
