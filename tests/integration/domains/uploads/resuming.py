"""What tests of resumable uploads send: tus by default, bodies that may break off."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import func, select
from starlette.types import Message, Scope

from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Part, Source
from telecine.domains.uploads.models import TusUpload, UploadWriter
from telecine.http.app import Api
from telecine.http.services import Services
from telecine.storage.extents import Extent, Extents
from tests.fixtures.application import ProjectKeys

TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = {"Content-Type": "application/offset+octet-stream"}


def metadata(**pairs: str) -> dict[str, str]:
    encoded = (f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
    return {"Upload-Metadata": ",".join(encoded)}


@dataclass
class Resumer:
    """A client of `/tus/`."""

    client: httpx.AsyncClient
    app: Api
    services: Services
    db: Database
    project: ProjectKeys
    always: dict[str, str] = field(default_factory=lambda: dict(TUS))

    async def post(self, headers: dict[str, str], data: bytes = b"") -> httpx.Response:
        return await self.client.post("/tus/", content=data, headers={**self.always, **headers})

    async def create(self, length: int | None = None, headers: dict[str, str] | None = None) -> str:
        """Create an upload; return its path."""
        size = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
        reply = await self.post(size | (headers or {}))
        assert reply.status_code == 201, reply.text
        return str(reply.headers["location"])

    async def patch(self, path: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**self.always, **CHUNK, "Upload-Offset": str(offset), **given}
        return await self.client.patch(path, content=data, headers=sent)

    async def append(self, path: str, offset: int, data: bytes, **headers: str) -> int:
        """Append bytes; return the offset that is told."""
        reply = await self.patch(path, offset, data, **headers)
        assert reply.status_code in {200, 201, 204}, reply.text
        return int(reply.headers["upload-offset"])

    async def append_and_cut(
        self, path: str, offset: int, pieces: Sequence[bytes], length: int | None = None
    ) -> None:
        """Send pieces of a body, and hang up before its end."""
        size = {} if length is None else {"Content-Length": str(length)}
        if length is None:
            size = {"Transfer-Encoding": "chunked"}
        authorization = httpx.BasicAuth(self.project.production_key, "")._auth_header
        headers = {**TUS, **CHUNK, **size, "Upload-Offset": str(offset)}
        headers["Authorization"] = authorization
        await hang_up(self.app, "PATCH", path, headers, pieces)

    async def head(self, path: str) -> httpx.Response:
        reply = await self.client.head(path, headers=self.always)
        assert reply.status_code in {200, 204}, reply.status_code
        return reply

    async def offset(self, path: str) -> int:
        return int((await self.head(path)).headers["upload-offset"])

    async def ingest(self, path: str) -> dict[str, object] | None:
        video_id = path.rsplit("/", 1)[1]
        status = (await self.client.get(f"/videos/{video_id}/status")).json()
        found: dict[str, object] | None = status["ingest"]
        return found

    async def content(self, path: str) -> bytes:
        """Return the bytes of the complete source of a video."""
        async with self.db.transaction() as tx:
            upload = select(TusUpload.video_id).where(TusUpload.public_id == path.rsplit("/", 1)[1])
            found = await tx.scalars(select(Source).where(Source.video_id.in_(upload)))
            source = found.one()
        return await self.bytes_of(source)

    async def bytes_of(self, source: Source) -> bytes:
        assert source.completed_at is not None
        extents = [Extent.from_json(stored) for stored in source.extents]
        file = Extents(self.services.store, extents)
        assert file.size_bytes == source.size_bytes
        return await file.read(0, file.size_bytes)

    async def count(self, table: type[Asset | Part | Source | TusUpload | UploadWriter]) -> int:
        """Count rows; of assets those of complete sources."""
        counted = select(func.count()).select_from(table)
        if table is Asset:
            counted = counted.where(Asset.growth.is_(None))
        async with self.db.transaction() as tx:
            return int(await tx.scalar(counted) or 0)

    async def objects(self) -> list[str]:
        return [entry.key async for entry in self.services.store.list("")]


class Draft:
    """Says things as one version of the draft wants them."""

    def __init__(self, resumer: Resumer, interop: int | None) -> None:
        self.resumer = resumer
        self.interop = interop
        number = {} if interop is None else {"Upload-Draft-Interop-Version": str(interop)}
        self.always: dict[str, str] = number

    def complete(self, complete: bool) -> dict[str, str]:
        if self.interop == 3:
            return {"Upload-Incomplete": "?0" if complete else "?1"}
        return {"Upload-Complete": "?1" if complete else "?0"}

    def is_complete(self, reply: httpx.Response) -> bool:
        if self.interop == 3:
            return reply.headers["upload-incomplete"] == "?0"
        return bool(reply.headers["upload-complete"] == "?1")

    async def send(
        self, method: str, path: str, data: Any = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        sent = {**self.always, **(headers or {})}
        return await self.resumer.client.request(method, path, content=data, headers=sent)

    async def append(self, path: str, offset: int, data: bytes, complete: bool) -> httpx.Response:
        headers = {**self.complete(complete), "Upload-Offset": str(offset)}
        if self.interop is None or self.interop >= 6:
            headers["Content-Type"] = "application/partial-upload"
        return await self.send("PATCH", path, data, headers)


async def hang_up(
    app: Api, method: str, path: str, headers: dict[str, str], pieces: Sequence[bytes]
) -> None:
    """Send a request whose body breaks off after some pieces; there is no answer."""
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    messages.append({"type": "http.disconnect"})

    async def receive() -> Message:
        return messages.pop(0) if len(messages) > 1 else messages[0]

    async def send(_: Message) -> None:
        """Nobody is there."""

    await app(scope_of(method, path, headers), receive, send)


def scope_of(method: str, path: str, headers: dict[str, str]) -> Scope:
    """Return a request as servers describe it."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("api.test", 80),
        "client": ("127.0.0.1", 1),
    }
