"""Encodes the segments that viewers wait for, before everything else."""

import asyncio
from bisect import bisect_right
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from telecine import ids
from telecine.domains.encodings import explanations, objects, on_demand, queries, wants
from telecine.domains.encodings.handlers.audio import fill_audio
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.models import Asset, AssetState, Rendition
from telecine.domains.encodings.on_demand import Outcome
from telecine.domains.encodings.recording import InitMismatch, StoredRun, record_runs
from telecine.domains.encodings.remarks import remark
from telecine.domains.encodings.wants import Lease
from telecine.domains.sources.models import Source
from telecine.ffmpeg.meter import metered
from telecine.ffmpeg.runner import MediaError, RunnerError
from telecine.ffmpeg.sharing import HostSlots, Precedence
from telecine.pipeline import encode
from telecine.pipeline.collector import Piece
from telecine.pipeline.model import Plan
from telecine.pipeline.per_title import tuned
from telecine.pipeline.spans import audio_spans
from telecine.storage.store import StoreError

log = structlog.get_logger()

_LOOK_EVERY_S = 2.0
_KEEP_EVERY_S = 1.0
_NO_SLOT_S = 0.25
_AHEAD_NICENESS = 5  # behind what viewers wait for, before the ladder
_FORGET_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class _Task:
    """A want and everything that encoding it takes."""

    lease: Lease
    asset: Asset
    source: Source
    rendition: Rendition
    plan: Plan
    outcome: Outcome


class JitEncoder:
    """Serves the wants of all viewers, with the slots of this host.

    `wake` is to be called when a want appears. Every segment is made as the ladder
    makes it, and stored as the ladder stores it.
    """

    def __init__(self, bench: Bench, slots: HostSlots, precedence: Precedence) -> None:
        self._bench = bench
        self._slots = slots
        self._precedence = precedence
        self._wake = asyncio.Event()
        self._keepers: set[asyncio.Event] = set()

    def wake(self) -> None:
        """Look for wants now, and whether an encode ahead of its viewer is in their way."""
        self._wake.set()
        self._call_keepers()

    def _call_keepers(self) -> None:
        for keeper in self._keepers:
            keeper.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._precedence.run())
            group.create_task(self._forget())
            for number in range(self._slots.count):
                group.create_task(self._serve(number), name=f"viewers {number}")

    async def _serve(self, number: int) -> None:
        pause_s = _LOOK_EVERY_S
        while True:
            served = False
            try:
                served = await self._serve_one()
            except* (SQLAlchemyError, StoreError, OSError) as errors:  # of its tasks, too
                log.warning("viewers' encodes paused", slot=number, reason=_told(errors))
            if not served:
                self._wake.clear()
                try:
                    async with asyncio.timeout(pause_s):
                        await self._wake.wait()
                except TimeoutError:
                    pause_s = _LOOK_EVERY_S
                else:
                    pause_s = wants.AHEAD_AFTER_S  # the call may have been for later

    async def _serve_one(self) -> bool:
        """Encode the newest want, if there is one and a place for it."""
        with self._slots.one() as mine:
            if not mine:
                await asyncio.sleep(_NO_SLOT_S)
                return False
            async with self._bench.db.transaction() as tx:
                lease = await wants.claim(tx, ids.nonce())
            if lease is None:
                return False
            with nullcontext() if lease.ahead else self._precedence.claimed():
                await self._fulfil(lease)
            return True

    async def _fulfil(self, lease: Lease) -> None:
        failure: str | None = None
        task: _Task | None = None
        outcome = Outcome(lease.attempt)
        with metered() as meter:
            try:
                task = await self._task(lease, outcome)
                if task is None:
                    failure = "gone"
                else:
                    await self._watched(task)
            except* MediaError as errors:
                failure = outcome.reason = _told(errors)
            except* (RunnerError, StoreError, OSError, InitMismatch) as errors:
                outcome.reason = _told(errors)
                failure = outcome.reason if lease.attempt >= wants.ATTEMPTS else None
            except* SQLAlchemyError:
                raise
            except* Exception as errors:  # all other videos go on
                log.exception("viewers' encode broke", asset=str(lease.asset_id), n=lease.segment)
                error = _first(errors)
                outcome.reason = f"{type(error).__name__}: {error}"
                failure = outcome.reason if lease.attempt >= wants.ATTEMPTS else None
        if task is not None and outcome.reason is not None and await self._is_removed(task):
            log.info("video removed", video=task.asset.public_id, n=lease.segment)
            failure, task = "gone", None
        outcome.final = failure is not None
        async with self._bench.db.transaction() as tx:
            await wants.give_back(tx, lease, failure, given_up=outcome.given_up)
        if task is None:
            return
        if outcome.reason is not None:
            log.warning(
                "viewers' encode failed",
                reason=outcome.reason,
                video=task.asset.public_id,
                quality=task.rendition.name,
                n=lease.segment,
            )
        async with self._bench.db.transaction() as tx:
            await on_demand.record(tx, task.asset, task.rendition.name, outcome, meter)

    async def _is_removed(self, task: _Task) -> bool:
        async with self._bench.db.transaction() as tx:
            return await queries.is_removed(tx, task.asset.video_id)

    async def _task(self, lease: Lease, outcome: Outcome) -> _Task | None:
        found = await self._bench.asset(lease.asset_id)
        if found is None or found[0].state != AssetState.PLANNED:
            return None
        asset, source = found
        async with self._bench.db.transaction() as tx:
            rows = await queries.renditions_of(tx, asset.id)
        rendition = next((row for row in rows if row.id == lease.rendition_id), None)
        plan = (await self._bench.material(asset)).plan
        if rendition is None or lease.segment >= self._bench.arrived(plan, source):
            return None
        return _Task(lease, asset, source, rendition, plan, outcome)

    async def _watched(self, task: _Task) -> None:
        """Encode, but stop as soon as nobody waits any more."""
        async with asyncio.TaskGroup() as group:
            encoding = group.create_task(self._encode(task))
            keeping = group.create_task(self._keep(task, encoding))
            encoding.add_done_callback(lambda _: keeping.cancel())

    async def _keep(self, task: _Task, encoding: asyncio.Task[None]) -> None:
        """Renew the lease; cancel the encode once its viewers have left.

        When the wanted segment is stored the next one may come too, for as long as
        somebody wants that as well, or nobody else waits for a slot; so may what is wanted
        ahead, until viewers ask for it.
        """
        called = asyncio.Event()
        self._keepers.add(called)
        encoding.add_done_callback(lambda _: self._keepers.discard(called))
        with ExitStack() as urgent:
            patient = task.lease.ahead
            while True:
                called.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_KEEP_EVERY_S):
                        await called.wait()
                async with self._bench.db.transaction() as tx:
                    wanted = await wants.keep(tx, task.lease)
                    alone = wanted or not await wants.waiting(tx)
                if wanted and patient:
                    urgent.enter_context(self._precedence.claimed())
                    patient = False
                if not wanted and not (alone and await self._may_be_ahead(task)):
                    break
        log.info("nobody waits", video=task.asset.public_id, n=task.lease.segment)
        task.outcome.given_up = task.outcome.segments == 0
        encoding.cancel()

    async def _may_be_ahead(self, task: _Task) -> bool:
        return task.lease.ahead or await self._is_stored(task, task.lease.segment)

    async def _is_stored(self, task: _Task, segment: int) -> bool:
        async with self._bench.db.transaction() as tx:
            runs = await queries.runs_of(tx, task.asset.id, [task.rendition.id])
        pieces: set[int] = set()
        for run in runs:
            pieces.update(range(run.first_piece, run.first_piece + len(run.offsets) - 1))
        if task.rendition.name == queries.AUDIO:
            return segment in pieces
        first, end = task.plan.segment_pieces[segment : segment + 2]
        return pieces.issuperset(range(first, end))

    async def _encode(self, task: _Task) -> None:
        segment, rendition_id = task.lease.segment, task.rendition.id
        if task.rendition.index_key is not None or await self._is_stored(task, segment):
            await self._done(rendition_id, segment, segment)
            return
        log.info(
            "encode for viewers",
            video=task.asset.public_id,
            quality=task.rendition.name,
            n=segment,
        )
        if task.rendition.name == queries.AUDIO:
            # From here to the end of the span, unless somebody else waits.
            end = next(end for _, end in audio_spans(task.plan) if segment < end)
            await fill_audio(
                self._bench,
                task.asset,
                task.source,
                task.rendition,
                (segment, end),
                detail={},
                on_stored=self._call_keepers,
            )
            return
        end, arrived = segment + 1, self._bench.arrived(task.plan, task.source)
        keeps_coming = segment == 0 or await self._is_stored(task, segment - 1)
        is_missing = end < arrived and not await self._is_stored(task, end)
        if keeps_coming and is_missing and await self._reserve(task):
            end += 1
        await self._encode_video(task, segment, end)

    async def _reserve(self, task: _Task) -> bool:
        async with self._bench.db.transaction() as tx:
            return await wants.reserve(tx, task.lease)

    async def _encode_video(self, task: _Task, segment: int, end: int) -> None:
        material = await self._bench.material(task.asset)
        starts = task.plan.segment_pieces
        init = task.rendition.init
        known = {} if init is None else {task.rendition.name: init}

        missing = {n: set(range(*starts[n : n + 2])) for n in range(segment, end)}

        async def store(piece: Piece) -> None:
            await self._store(task, piece)
            number = bisect_right(starts, piece.number) - 1
            missing[number].discard(piece.number)
            if not missing[number]:
                task.outcome.segments += 1
                await self._done(task.rendition.id, number, number)
                self._call_keepers()

        async with self._bench.encodable(task.source, material) as reader:
            encoded = await encode.encode_chunk(
                self._bench.runner,
                reader,
                material.samples,
                material.probe,
                tuned(task.plan, {task.rendition.name: task.rendition.crf}),
                [task.rendition.name],
                segment,
                end,
                watermarks=material.watermarks,
                inits=known,
                hardware=self._bench.hardware,
                apart=True,
                on_piece=store,
                niceness=_AHEAD_NICENESS if task.lease.ahead else 0,
            )
        if any(result.concealed for result in encoded):
            async with self._bench.db.transaction() as tx:
                await remark(tx, task.asset.id, explanations.DAMAGED)

    async def _store(self, task: _Task, piece: Piece) -> None:
        """Store one piece as soon as it is ready: its viewers wait for nothing else."""
        key = objects.run_key(task.asset.prefix, task.rendition.name, piece.number)
        await self._bench.store.put(key, piece.data)
        run = StoredRun(task.rendition.id, piece.number, key, piece.init, (len(piece.data),))
        async with self._bench.db.transaction() as tx:
            unused = await record_runs(tx, task.asset.id, [run])
        await self._bench.store.delete(unused)

    async def _done(self, rendition_id: UUID, first: int, last: int) -> None:
        async with self._bench.db.transaction() as tx:
            await wants.done(tx, rendition_id, first, last)

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(_FORGET_EVERY_S)
            try:
                async with self._bench.db.transaction() as tx:
                    await wants.forget_old(tx)
            except SQLAlchemyError as error:
                log.warning("wants not forgotten", reason=str(error))


def _first(errors: BaseExceptionGroup[Exception]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _told(errors: BaseExceptionGroup[Exception]) -> str:
    return str(_first(errors))
