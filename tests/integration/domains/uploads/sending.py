"""What the tests of uploads send, and what they look at afterwards."""

from dataclasses import dataclass, field

import httpx
from sqlalchemy import func, select

from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Part, Source
from telecine.http.services import Services
from telecine.storage.extents import Extent, Extents


@dataclass
class Uploads:
    """One video that files are sent to."""

    client: httpx.AsyncClient
    services: Services
    db: Database
    video_id: str = ""
    replies: list[httpx.Response] = field(default_factory=list)

    async def send(self, data: bytes, content_range: str | None = None) -> httpx.Response:
        headers = {} if content_range is None else {"Content-Range": content_range}
        url = f"/videos/{self.video_id}/source"
        files = {"file": ("clip.mp4", data)}
        reply = await self.client.post(url, files=files, headers=headers)
        self.replies.append(reply)
        return reply

    async def accept(self, data: bytes, content_range: str | None = None) -> None:
        reply = await self.send(data, content_range)
        assert reply.status_code == 201, reply.text

    async def refuse(self, slug: str, data: bytes, content_range: str | None = None) -> str | None:
        """Send what must be refused; return the problem's detail."""
        before = await self.ingest()
        reply = await self.send(data, content_range)
        assert reply.status_code == 400, reply.text
        assert reply.json()["type"].rpartition("/")[2] == slug
        assert await self.ingest() == before, "a refused request changes nothing"
        detail: str | None = reply.json().get("detail")
        return detail

    async def ingest(self) -> dict[str, object] | None:
        status = (await self.client.get(f"/videos/{self.video_id}/status")).json()
        ingest: dict[str, object] | None = status["ingest"]
        return ingest

    async def source(self) -> Source:
        async with self.db.transaction() as tx:
            return (await tx.scalars(select(Source))).one()

    async def content(self) -> bytes:
        """Return the bytes of the complete source."""
        source = await self.source()
        assert source.completed_at is not None
        extents = [Extent.from_json(stored) for stored in source.extents]
        file = Extents(self.services.store, extents)
        assert file.size_bytes == source.size_bytes
        return await file.read(0, file.size_bytes)

    async def assets(self) -> int:
        """Count the assets of complete sources."""
        counted = select(func.count()).select_from(Asset).where(Asset.growth.is_(None))
        async with self.db.transaction() as tx:
            return int(await tx.scalar(counted) or 0)

    async def claims(self) -> int:
        """Return how many parts are claimed and not stored."""
        async with self.db.transaction() as tx:
            rows = select(func.count()).select_from(Part).where(Part.stored_at.is_(None))
            return int(await tx.scalar(rows) or 0)

    async def forget_answers(self) -> None:
        """Have it that no answer reached the client."""
        async with self.db.transaction() as tx:
            for part in await tx.scalars(select(Part)):
                part.answered = False

    async def objects(self) -> list[str]:
        return [entry.key async for entry in self.services.store.list("")]
