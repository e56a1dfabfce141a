"""Segments that are encoded because somebody waits for them."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from telecine import ids
from telecine.db.engine import Database
from telecine.db.notify import Listener
from telecine.delivery.body import stream_parts
from telecine.delivery.media import AssetView, MediaCache
from telecine.delivery.segments import Found, Segments
from telecine.delivery.wishes import Departure, NotStoredYet
from telecine.domains.accounts.models import Project
from telecine.domains.encodings import operations, wants
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.handlers.jit import JitEncoder
from telecine.domains.encodings.handlers.probe import probe_asset
from telecine.domains.encodings.jobs import ProbeAsset
from telecine.domains.encodings.models import Want
from telecine.domains.encodings.operations import AssetOptions, VideoRef
from telecine.domains.encodings.recording import PIECES_STORED
from telecine.domains.sources import operations as sources
from telecine.domains.sources.models import Mode
from telecine.domains.videos.models import Video
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import MediaError, Runner
from telecine.ffmpeg.sharing import HostSlots, Precedence
from telecine.pipeline import encode
from telecine.pipeline.probe import Prober
from telecine.storage.extents import Extent
from telecine.storage.local import LocalStore
from telecine.storage.spool import Spool
from tests.fixtures.media import barcode_mp4, frame_numbers
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio

FRAMES = 600  # twenty seconds


@dataclass
class Cinema:
    """One planned asset, what encodes it and what shows it; no ladder runs."""

    bench: Bench
    encoder: JitEncoder
    segments: Segments
    asset: AssetView

    async def segment(self, number: int, departure: Departure | None = None) -> bytes:
        rendition = self.asset.renditions["240p"]
        return await self.body(await self.segments.get(self.asset, rendition, number, departure))

    async def body(self, found: Found) -> bytes:
        parts = list(found.parts)
        if found.rest is not None:
            parts += [part async for part in found.rest]
        return b"".join([message async for message in stream_parts(self.bench.store, parts)])

    async def init(self) -> bytes:
        return await self.segments.init(self.asset, self.asset.renditions["240p"])

    async def wants(self) -> int:
        async with self.bench.db.transaction() as tx:
            return int(await tx.scalar(select(func.count()).select_from(Want)) or 0)

    async def objects(self) -> list[str]:
        folder = f"{self.asset.prefix}240p/"
        return [entry.key async for entry in self.bench.store.list(folder)]


async def planned(bench: Bench, clip: Path) -> AssetView:
    """Make an asset of a file, as an upload and its probe do."""
    async with bench.db.transaction() as tx:
        project = Project(public_id="pr1", environment="production", name="p", settings={})
        tx.add(project)
        await tx.flush()
        video = Video(project_id=project.id, public_id=ids.public_id("vi"), title="t")
        tx.add(video)
        await tx.flush()
        ref = VideoRef(video.id, project.id, video.public_id)
        source = await sources.open_source(tx, ref.owner, clip.name)
        claim = await sources.claim(tx, source, Mode.WHOLE, 1)
        await bench.store.put(claim.own_key, clip.read_bytes())
        stored = [Extent(claim.own_key, clip.stat().st_size)]
        assert await sources.store(tx, source, claim, stored)
        asset = await operations.make_asset(tx, ref, source, AssetOptions())
    await probe_asset(bench, ProbeAsset(asset_id=asset.id))
    media = await MediaCache(bench.db, bench.store).get(ref.public_id)
    assert media is not None
    assert media.asset is not None
    return media.asset


@pytest.fixture
async def cinema(db: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Cinema]:
    runner = Runner(find_ffmpeg(None), "required")
    prober = Prober(runner)
    store = LocalStore(tmp_path / "store")
    bench = Bench(db=db, store=store, runner=runner, prober=prober, spool=Spool(tmp_path / "spool"))
    clip = barcode_mp4(frames=FRAMES, width_px=640, height_px=360)
    asset = await planned(bench, clip)
    folder = tmp_path / "locks"
    encoder = JitEncoder(bench, HostSlots(folder, 1), Precedence(folder, bench.brake))
    segments = Segments(db, store, wait_s=PATIENCE_S, queue_limit=4)
    listener = Listener(database_url)
    listener.subscribe(wants.WANTED, lambda _: encoder.wake())
    listener.subscribe(PIECES_STORED, lambda _: segments.pieces_arrived(asset.id))
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(listener.run()), group.create_task(encoder.run())]
        yield Cinema(bench, encoder, segments, asset)
        for task in beside:
            task.cancel()
    await prober.close()


async def test_segments_in_any_order_join_to_exactly_the_source(cinema: Cinema) -> None:
    order = list(range(cinema.asset.plan.segments))
    random.Random(5).shuffle(order)
    data = {number: await cinema.segment(number) for number in order}
    joined = await cinema.init() + b"".join(data[number] for number in sorted(data))
    assert frame_numbers(joined) == list(range(FRAMES))

    async def nothing_is_wanted() -> bool:  # told behind the piece, which viewers get first
        return await cinema.wants() == 0

    await until(nothing_is_wanted)
    # What was served once stays the same bytes for ever.
    assert await cinema.segment(order[0]) == data[order[0]]


async def test_a_segment_is_encoded_once_for_all_who_wait(cinema: Cinema) -> None:
    async with asyncio.TaskGroup() as group:
        viewers = [group.create_task(cinema.segment(2)) for _ in range(8)]
    assert len({viewer.result() for viewer in viewers}) == 1
    first, end = cinema.asset.plan.segment_pieces[2], cinema.asset.plan.segment_pieces[3]
    stored = [key for key in await cinema.objects() for n in range(first, end)
              if key.rpartition("/")[2].startswith(f"{n:06d}-")]  # fmt: skip
    assert len(stored) == end - first


async def test_whoever_watches_gets_the_next_segment_too(cinema: Cinema) -> None:
    await cinema.segment(0)

    async def second_is_there() -> bool:
        pieces = range(cinema.asset.plan.segment_pieces[1], cinema.asset.plan.segment_pieces[2])
        keys = await cinema.objects()
        return all(any(f"/{n:06d}-" in key for key in keys) for n in pieces)

    await until(second_is_there)

    async def nothing_is_wanted() -> bool:
        return await cinema.wants() == 0

    await until(nothing_is_wanted)


@asynccontextmanager
async def stuck(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """Let encodes begin and not end; gives what is set when one is given up."""
    given_up = asyncio.Event()

    async def hang(*_: Any, **__: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    with monkeypatch.context() as patched:
        patched.setattr(encode, "encode_chunk", hang)
        yield given_up


async def test_an_encode_ends_when_its_last_viewer_leaves(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = asyncio.Event()
    async with stuck(monkeypatch) as given_up, asyncio.TaskGroup() as group:
        viewer = group.create_task(_refused(cinema.segment(1, left.wait)))

        async def claimed() -> bool:
            async with cinema.bench.db.transaction() as tx:
                return await tx.scalar(select(Want.owner)) is not None

        await until(claimed)
        left.set()
        await viewer
        async with asyncio.timeout(PATIENCE_S):
            await given_up.wait()
    assert frame_numbers(await cinema.init() + await cinema.segment(1))


async def _refused(segment: Any) -> None:
    with pytest.raises(NotStoredYet):
        await segment


async def test_a_long_queue_turns_newcomers_away(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = cinema.asset.plan
    assert plan.segments >= 3
    monkeypatch.setattr(cinema.segments, "_queue_limit", 1)
    leave = asyncio.Event()
    async with stuck(monkeypatch), asyncio.TaskGroup() as group:
        group.create_task(_refused(cinema.segment(0, leave.wait)))

        async def begun() -> bool:
            async with cinema.bench.db.transaction() as tx:
                return await tx.scalar(select(Want.owner)) is not None

        await until(begun)
        group.create_task(_refused(cinema.segment(1, leave.wait)))

        async def waits() -> bool:
            async with cinema.bench.db.transaction() as tx:
                return await wants.waiting(tx) == 1

        await until(waits)
        await _refused(cinema.segment(2))
        async with cinema.bench.db.transaction() as tx:
            assert await tx.scalar(select(Want).where(Want.segment == 2)) is None
        leave.set()


async def test_what_cannot_be_encoded_is_told_at_once(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise MediaError("undecodable", "nothing")

    with monkeypatch.context() as patched:
        patched.setattr(encode, "encode_chunk", fail)
        await _refused(cinema.segment(1))
        async with cinema.bench.db.transaction() as tx:
            assert await tx.scalar(select(Want.failure)) == "undecodable: nothing"
