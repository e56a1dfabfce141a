"""What the tests of downloads and copies do, and what they look at afterwards."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
from sqlalchemy import select, text, update

from telecine.db.engine import Database
from telecine.domains.accounts.models import Project
from telecine.domains.encodings.models import Asset
from telecine.domains.sources import handlers
from telecine.domains.sources.handlers import Bench, Bounds
from telecine.domains.sources.jobs import CopySource, DownloadSource
from telecine.domains.sources.models import Fetch, Source
from telecine.domains.videos.operations import source_failed, source_ingested
from telecine.jobs.worker import PermanentFailure
from telecine.net.client import OutboundClient
from telecine.net.policy import OutboundPolicy
from telecine.storage.extents import Extent, Extents
from telecine.storage.store import Store

HERE = OutboundPolicy.of(["127.0.0.0/8"])
BOUNDS = Bounds(piece_bytes=1000, look_s=0, slowest_bps=0, idle_s=5)
KINDS = {kind.task_name(): kind for kind in (DownloadSource, CopySource)}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ingests:
    """Videos of one project, and a worker's bench that can reach this machine."""

    client: httpx.AsyncClient
    operator: httpx.AsyncClient
    bench: Bench

    @property
    def db(self) -> Database:
        return self.bench.db

    @property
    def store(self) -> Store:
        return self.bench.store

    def with_bounds(self, **changes: Any) -> "Ingests":
        bounds = replace(self.bench.bounds, **changes)
        return replace(self, bench=replace(self.bench, bounds=bounds))

    def with_playlists(self) -> "Ingests":
        return replace(self, bench=replace(self.bench, allow_playlists=True))

    async def create(self, source: str, **members: Any) -> str:
        body = {"title": "A video", "source": source, **members}
        reply = await self.client.post("/videos", json=body)
        assert reply.status_code == 202, reply.text
        return str(reply.json()["videoId"])

    async def waiting(self) -> list[DownloadSource | CopySource]:
        """Return the jobs that a worker would do now, and take them out of the queue."""
        async with self.db.transaction() as tx:
            rows = await tx.execute(
                text(
                    "DELETE FROM procrastinate_jobs WHERE queue_name = 'ingest'"
                    " RETURNING id, task_name, args"
                )
            )
            found = sorted(rows.all())
        return [KINDS[name].from_args(args) for _, name, args in found]

    async def job(self) -> DownloadSource | CopySource:
        (found,) = await self.waiting()
        return found

    async def run(self, job: DownloadSource | CopySource) -> None:
        await handlers.bind(self.bench)[type(job)](job)

    async def work(self) -> int:
        """Do all jobs until none is left, as a worker does; return how many."""
        done = 0
        while jobs := await self.waiting():
            for job in jobs:
                try:
                    await self.run(job)
                except PermanentFailure as error:
                    await self.give_up(job, str(error))
                done += 1
        return done

    async def give_up(self, job: DownloadSource | CopySource, reason: str) -> None:
        await handlers.record_giving_up(self.bench, job, reason)

    async def set_quota(self, quota_bytes: int) -> None:
        async with self.db.transaction() as tx:
            await tx.execute(update(Project).values(settings={"storage_quota_bytes": quota_bytes}))

    async def status(self, video_id: str) -> Json:
        reply = await self.client.get(f"/videos/{video_id}/status")
        assert reply.status_code == 200
        found: Json = reply.json()
        return found

    async def ingest(self, video_id: str) -> Json:
        found: Json = (await self.status(video_id))["ingest"]
        return found

    async def view(self, video_id: str) -> Json:
        """Return what the operator sees."""
        reply = await self.operator.get(f"/_/videos/{video_id}/jobs")
        assert reply.status_code == 200, reply.text
        found: Json = reply.json()
        return found

    async def step(self, video_id: str) -> Json:
        found: Json = (await self.view(video_id))["steps"][0]
        return found

    async def source(self, video_id: str) -> Source:
        async with self.db.transaction() as tx:
            rows = await tx.scalars(select(Source).where(Source.prefix.contains(video_id)))
            return rows.one()

    async def fetch(self, video_id: str) -> Fetch:
        source = await self.source(video_id)
        async with self.db.transaction() as tx:
            return await tx.get_one(Fetch, source.id)

    async def assets(self, video_id: str) -> Sequence[Asset]:
        async with self.db.transaction() as tx:
            return (await tx.scalars(select(Asset).where(Asset.public_id == video_id))).all()

    async def content(self, video_id: str) -> bytes:
        """Return the bytes of a complete source."""
        source = await self.source(video_id)
        assert source.completed_at is not None
        assert source.failure is None
        extents = [Extent.from_json(stored) for stored in source.extents]
        file = Extents(self.store, extents)
        assert file.size_bytes == source.size_bytes
        return b"".join([piece async for piece in file.stream(0, file.size_bytes)])

    async def objects(self, video_id: str) -> list[str]:
        prefix = (await self.source(video_id)).prefix
        return [entry.key async for entry in self.store.list(prefix)]


@asynccontextmanager
async def ingesting(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, db: Database, store: Store
) -> AsyncIterator[Ingests]:
    async with OutboundClient(HERE) as outbound:
        bench = Bench(
            db=db,
            store=store,
            client=outbound,
            complete=source_ingested,
            failed=source_failed,
            bounds=BOUNDS,
        )
        yield Ingests(client, operator, bench)


def media(size_bytes: int) -> bytes:
    """Return bytes that differ everywhere, so that no mistake in the order goes unseen."""
    return b"".join(number.to_bytes(4) for number in range(size_bytes // 4 + 1))[:size_bytes]
