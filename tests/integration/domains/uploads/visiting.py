"""A client with an upload token, and what it sends."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import func, select, update

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Part, Source
from telecine.domains.uploads.models import UploadToken
from telecine.domains.videos.models import Video
from telecine.http.services import Services
from telecine.storage.extents import Extent, Extents

BOUNDARY = "limit"
NAME = "clip.mp4"


def field_part(name: str, value: str) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()


def file_part(name: str, data: bytes) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
    return head.encode() + data


def body_of(parts: list[bytes]) -> bytes:
    joined = b"".join(f"--{BOUNDARY}\r\n".encode() + part + b"\r\n" for part in parts)
    return joined + f"--{BOUNDARY}--\r\n".encode()


@dataclass
class Visitor:
    """A client that has a token and no key."""

    http: httpx.AsyncClient
    services: Services
    db: Database
    token: str
    agent: str = "browser"
    piece_bytes: int = 1 << 20
    replies: list[httpx.Response] = field(default_factory=list)

    async def send(
        self,
        data: bytes,
        content_range: str | None = None,
        *,
        name: str = NAME,
        video_id: str | None = None,
        before: bool = False,
        **query: str,
    ) -> httpx.Response:
        parts = [file_part(name, data)]
        if video_id is not None:
            parts.insert(0 if before else 1, field_part("videoId", video_id))
        body = body_of(parts)

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), self.piece_bytes):
                yield body[start : start + self.piece_bytes]

        headers = {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "User-Agent": self.agent,
            **({} if content_range is None else {"Content-Range": content_range}),
        }
        params = {"token": self.token, **query}
        reply = await self.http.post("/upload", content=pieces(), headers=headers, params=params)
        self.replies.append(reply)
        return reply

    async def accept(self, data: bytes, content_range: str | None = None, **more: Any) -> str:
        """Send what must be accepted; return the id of its video."""
        reply = await self.send(data, content_range, **more)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["videoId"])

    async def refuse(
        self, status: int, slug: str, data: bytes, content_range: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Send what must be refused and change nothing; return the problem."""
        before = await self.state()
        reply = await self.send(data, content_range, **more)
        assert reply.status_code == status, reply.text
        problem: dict[str, Any] = reply.json()
        assert problem["type"].rpartition("/")[2] == slug
        assert await self.state() == before
        return problem

    async def state(self) -> object:
        """Return everything that an upload may change."""
        async with self.db.transaction() as tx:
            rows = [
                (await tx.execute(select(model.id).order_by(model.id))).all()
                for model in (Video, Source, Part, Asset)
            ]
        return rows, await self.objects()

    async def objects(self) -> list[str]:
        return sorted([entry.key async for entry in self.services.store.list("")])

    async def source(self, video_id: str) -> Source:
        async with self.db.transaction() as tx:
            rows = select(Source).join(Video, Video.id == Source.video_id)
            return (await tx.scalars(rows.where(Video.public_id == video_id))).one()

    async def content(self, video_id: str) -> bytes:
        """Return the bytes of a complete source."""
        source = await self.source(video_id)
        assert source.completed_at is not None
        file = Extents(self.services.store, [Extent.from_json(each) for each in source.extents])
        return await file.read(0, file.size_bytes)

    async def count(self, model: Any) -> int:
        """Count rows; of assets those of complete sources."""
        counted = select(func.count()).select_from(model)
        if model is Asset:
            counted = counted.where(Asset.growth.is_(None))
        async with self.db.transaction() as tx:
            return int(await tx.scalar(counted) or 0)

    async def forget_answers(self) -> None:
        """Have it that no answer reached its client."""
        async with self.db.transaction() as tx:
            for part in await tx.scalars(select(Part)):
                part.answered = False

    async def expire(self) -> None:
        """Let the token have expired a moment ago."""
        async with self.db.transaction() as tx:
            past = clock.now() - timedelta(seconds=1)
            token = UploadToken.public_id == self.token
            await tx.execute(update(UploadToken).where(token).values(expires_at=past))
