"""A video that is planned and encoded only for those who watch it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select

from telecine import ids
from telecine.db.engine import Database
from telecine.db.notify import Listener
from telecine.delivery.body import stream_parts
from telecine.delivery.media import AssetView, MediaCache
from telecine.delivery.segments import Found, Segments
from telecine.delivery.wishes import Departure, NotStoredYet
from telecine.domains.accounts.models import Project
from telecine.domains.encodings import operations, queries, wants
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
from telecine.ffmpeg.runner import Runner
from telecine.ffmpeg.sharing import HostSlots, Precedence
from telecine.http.services import PublicUrls
from telecine.net.countries import Countries
from telecine.pipeline import encode
from telecine.pipeline.probe import Prober
from telecine.processes import viewing
from telecine.processes.viewing import build_delivery, build_gate, restrictions_of
from telecine.sealing import Sealer
from telecine.storage.extents import Extent
from telecine.storage.local import LocalStore
from telecine.storage.open import open_store
from telecine.storage.spool import Spool
from telecine.storage.store import Store
from tests.fixtures.media import barcode_mp4
from tests.fixtures.raw_http import Client, serving
from tests.fixtures.waiting import PATIENCE_S

Connect = Callable[..., Awaitable[Client]]

FRAMES = 600  # twenty seconds


@dataclass
class House:
    """Where a planned asset lies, and the place to encode it."""

    bench: Bench
    video_id: str
    asset: AssetView
    database_url: str


@dataclass
class Cinema:
    """One planned asset, what encodes it and what shows it; no ladder runs."""

    bench: Bench
    encoder: JitEncoder
    segments: Segments
    asset: AssetView
    video_id: str
    database_url: str

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

    async def idle(self) -> bool:
        return await self.wants() == 0

    async def wants(self) -> int:
        async with self.bench.db.transaction() as tx:
            return int(await tx.scalar(select(func.count()).select_from(Want)) or 0)

    async def objects(self) -> list[str]:
        folder = f"{self.asset.prefix}240p/"
        return [entry.key async for entry in self.bench.store.list(folder)]

    async def stored(self, asset: AssetView, rendition: str) -> set[int]:
        """Return the pieces of a rendition that are stored."""
        async with self.bench.db.transaction() as tx:
            runs = await queries.runs_of(tx, asset.id, [asset.renditions[rendition].id])
        return {run.first_piece + n for run in runs for n in range(len(run.offsets) - 1)}


async def planned(bench: Bench, clip: Path, *, ahead: bool = False) -> tuple[str, AssetView]:
    """Make an asset of a file, as an upload and its probe do; return its video's id, too.

    Unless `ahead`, nothing of it is wanted before a test asks for it.
    """
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
    if not ahead:
        async with bench.db.transaction() as tx:
            await tx.execute(delete(Want).where(Want.asset_id == asset.id, Want.ahead))
    media = await MediaCache(bench.db, bench.store).get(ref.public_id)
    assert media is not None
    assert media.asset is not None
    return ref.public_id, media.asset


IN_A_BUCKET_TOO = pytest.mark.parametrize(
    "house", ["local", pytest.param("s3", marks=pytest.mark.s3)], indirect=True
)


@pytest.fixture
async def house(
    request: pytest.FixtureRequest, db: Database, database_url: str, tmp_path: Path
) -> AsyncIterator[House]:
    """A planned asset that nobody encodes or shows so far, in a folder or in a bucket."""
    runner = Runner(find_ffmpeg(None), "required")
    prober = Prober(runner)
    store: Store = LocalStore(tmp_path / "store")
    if getattr(request, "param", "local") == "s3":
        environment = request.getfixturevalue("s3_environment")
        store = open_store(request.getfixturevalue("bucket_url"), environment)
    bench = Bench(db=db, store=store, runner=runner, prober=prober, spool=Spool(tmp_path / "spool"))
    clip = barcode_mp4(frames=FRAMES, width_px=640, height_px=360)
    yield House(bench, *await planned(bench, clip), database_url)
    await prober.close()


@asynccontextmanager
async def opened(house: House, folder: Path, queue_limit: int = 4) -> AsyncIterator[Cinema]:
    """Run what encodes for viewers and what shows it, as one node of possibly many does.

    `folder` holds the locks of the node's machine.
    """
    bench, asset = house.bench, house.asset
    encoder = JitEncoder(bench, HostSlots(folder, 1), Precedence(folder, bench.brake))
    segments = Segments(bench.db, bench.store, wait_s=PATIENCE_S, queue_limit=queue_limit)
    listener = Listener(house.database_url)
    listener.subscribe(wants.WANTED, lambda _: encoder.wake())
    listener.subscribe(PIECES_STORED, lambda told: segments.pieces_arrived(UUID(told)))
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(listener.run()), group.create_task(encoder.run())]
        yield Cinema(bench, encoder, segments, asset, house.video_id, house.database_url)
        for task in beside:
            task.cancel()


@pytest.fixture
async def cinema(house: House, tmp_path: Path) -> AsyncIterator[Cinema]:
    async with opened(house, tmp_path / "locks") as cinema:
        yield cinema


@asynccontextmanager
async def front(
    cinema: Cinema, queue_limit: int = 4, wait_s: float = PATIENCE_S
) -> AsyncIterator[Connect]:
    """Serve the cinema's media over real sockets; gives what connects to them.

    `wait_s`: how long viewers wait; on a slow machine, too, nobody is turned away.
    """
    bench, listener, connected = cinema.bench, Listener(cinema.database_url), asyncio.Event()
    urls, sealer = PublicUrls.at("https://video.example.com"), Sealer(["s" * 32])
    countries = restrictions_of(urls, Countries())
    gate = build_gate(bench.db, listener, b"k" * 32, sealer, countries)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(viewing, "SEGMENT_WAIT_S", wait_s)
        delivery, _ = build_delivery(bench.db, bench.store, listener, urls, gate, queue_limit)
    listener.watch(connected.set, connected.clear)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listener.run())
        await connected.wait()
        async with serving(delivery) as (connect, _):
            yield connect
        listening.cancel()


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


async def refused(segment: Any) -> None:
    with pytest.raises(NotStoredYet):
        await segment
