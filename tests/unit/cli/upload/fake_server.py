"""A server in this process that takes uploads, and fails as ordered."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from telecine.cli.upload.api import Api
from telecine.cli.upload.wishes import Options

BASE = "http://telecine.test"
KEY, TOKEN = "the-key", "toTheToken"
PART_BYTES = 10
REFERENCE = "https://docs.api.video/reference/"


@dataclass
class StoredVideo:
    video_id: str
    title: str
    tags: list[str] = field(default_factory=list)
    parts: dict[int, bytes] = field(default_factory=dict)
    total: int | None = None
    source: str | None = None

    @property
    def content(self) -> bytes | None:
        """The file, None while something is missing."""
        if self.total != len(self.parts) or self.total == 0:
            return None
        return b"".join(self.parts[number] for number in sorted(self.parts))

    def document(self) -> dict[str, Any]:
        base = f"{BASE}/vod/{self.video_id}"
        assets = {"player": base, "hls": f"{base}/hls", "mp4": f"{base}/mp4"}
        return {"videoId": self.video_id, "title": self.title, "assets": assets}


@dataclass
class Fault:
    """What happens to the next request whose line contains `mark`, instead of an answer.

    An event is waited for. With `stores`, the request does its work all the same.
    """

    mark: str
    answer: httpx.Response | httpx.TransportError | asyncio.Event
    stores: bool = False


def problem(status: int, slug: str, title: str, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json={"type": REFERENCE + slug, "title": title, "name": "file"}, headers=headers
    )


class FakeServer(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self.videos: dict[str, StoredVideo] = {}
        self.created: dict[str, StoredVideo] = {}
        self.faults: list[Fault] = []
        self.lines: list[str] = []
        self.file_names: list[str] = []
        self.bodies_bytes: list[int] = []
        self.encodings: list[dict[str, Any]] = []
        self.manifests: list[int] = []
        self.under_way = self.most_under_way = 0

    def api(self, **options: Any) -> Api:
        given: dict[str, Any] = {} if "token" in options else {"key": KEY}
        return Api(BASE, transport=self, **given, **options)

    def fail(
        self,
        mark: str,
        answer: httpx.Response | httpx.TransportError | asyncio.Event,
        *,
        stores: bool = False,
    ) -> None:
        self.faults.append(Fault(mark, answer, stores))

    @property
    def only(self) -> StoredVideo:
        assert len(self.videos) == 1
        return next(iter(self.videos.values()))

    @property
    def ranges(self) -> list[str]:
        """What files were sent, in which order."""
        return [line.rpartition(" ")[2] for line in self.lines if line.startswith("POST")]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        given = request.headers.get("content-range", "-").removeprefix("part ")
        line = f"{request.method} {request.url.raw_path.decode()} {given}"
        self.lines.append(line)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._answer(request, line)
        finally:
            self.under_way -= 1

    async def _answer(self, request: httpx.Request, line: str) -> httpx.Response:
        fault = next((each for each in self.faults if each.mark in line), None)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        if fault is not None and isinstance(fault.answer, asyncio.Event):
            self.faults.remove(fault)
            if fault.stores:
                self._serve(request, await request.aread())
            await fault.answer.wait()
            fault = None
        body = b"".join([chunk async for chunk in request.stream])
        if fault is None:
            return self._serve(request, body)
        self.faults.remove(fault)
        if fault.stores:
            self._serve(request, body)
        if isinstance(fault.answer, httpx.TransportError):
            raise fault.answer
        assert isinstance(fault.answer, httpx.Response)
        return fault.answer

    def _serve(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path = request.url.path
        if path.startswith("/vod/"):
            assert "authorization" not in request.headers
            return httpx.Response(self.manifests.pop(0))
        if path == "/upload":
            if request.url.params["token"] != TOKEN or "authorization" in request.headers:
                return problem(401, "authentication-invalid-upload-token", "Invalid token.")
            return self._store(request, body, None)
        if request.headers.get("authorization") != httpx.BasicAuth(KEY, "")._auth_header:
            return problem(401, "authentication-invalid-api-key", "The API key is invalid.")
        if path == "/videos":
            return self._create(request, json.loads(body))
        video = self.videos.get(path.split("/")[2])
        if video is None:
            return problem(404, "resource-not-found", "The requested resource was not found.")
        if path.endswith("/source"):
            return self._store(request, body, video)
        return httpx.Response(
            200, json=self._status(video) if path.endswith("/status") else video.document()
        )

    def _create(self, request: httpx.Request, wanted: dict[str, Any]) -> httpx.Response:
        key = request.headers["idempotency-key"]
        if key in self.created:
            if self.created[key].title != wanted["title"]:
                return problem(422, "idempotency-key-reused", "Another request has this key.")
            return httpx.Response(201, json=self.created[key].document())
        video = self._new(wanted["title"], wanted["tags"])
        video.source = wanted.get("source")
        self.created[key] = video
        return httpx.Response(202 if video.source else 201, json=video.document())

    def _new(self, title: str, tags: list[str]) -> StoredVideo:
        video = StoredVideo(f"vi{len(self.videos)}", title, tags)
        self.videos[video.video_id] = video
        return video

    def _store(
        self, request: httpx.Request, body: bytes, video: StoredVideo | None
    ) -> httpx.Response:
        assert len(body) == int(request.headers["content-length"])
        fields, file_name, data = parse(request.headers["content-type"], body)
        self.file_names.append(file_name)
        self.bodies_bytes.append(len(data))
        if video is None:
            known = fields.get("videoId")
            if known is not None and known not in self.videos:
                return problem(404, "resource-not-found", "The requested resource was not found.")
            video = self.videos[known] if known else self._new(file_name, [])
        number, total = 1, 1
        if "content-range" in request.headers:
            number, total = map(int, request.headers["content-range"][5:].split("/"))
        if video.content is not None:
            return problem(400, "video-source-already-uploaded", "It has already been uploaded.")
        if number in video.parts:
            return problem(400, "part-already-sent", "The part was already sent.")
        video.parts[number], video.total = data, total
        return httpx.Response(201, json=video.document())

    def _status(self, video: StoredVideo) -> dict[str, Any]:
        ingest: dict[str, Any] | None = None
        if video.source is not None:
            ingest = {"status": "ingesting", "filesize": None, "receivedBytes": []}
        elif video.parts:
            done = video.content
            state = "uploading" if done is None else "uploaded"
            size_bytes = None if done is None else len(done)
            ingest = {"status": state, "filesize": size_bytes, "receivedBytes": []}
            if video.total != 1:
                ingest["receivedParts"] = {"parts": sorted(video.parts), "total": video.total}
        encoding = self.encodings.pop(0) if self.encodings else encoded()
        return {"ingest": ingest, "encoding": encoding}


def encoded(*states: str, playable: bool = True) -> dict[str, Any]:
    qualities = [{"type": "hls", "quality": "240p", "status": each} for each in states]
    return {"playable": playable, "qualities": qualities}


def parse(media_type: str, body: bytes) -> tuple[dict[str, str], str, bytes]:
    """Return fields, the file's name and its bytes."""
    boundary = b"--" + media_type.partition("boundary=")[2].encode()
    first, *parts, last = body.split(boundary)
    assert (first, last) == (b"", b"--\r\n")
    fields, file_name, data = {}, "", b""
    for part in parts:
        head, _, value = part.removesuffix(b"\r\n").partition(b"\r\n\r\n")
        found = re.search(r'filename="(.*)"', head.decode())
        if found:
            file_name, data = found[1], value
        else:
            named = re.search(r'name="(.*)"', head.decode())
            assert named is not None
            fields[named[1]] = value.decode()
    return fields, file_name, data


class Seen:
    """A display that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.results: list[str] = []
        self.bytes: list[int] = []
        self.stages: list[tuple[str, int, int]] = []
        self.on_bytes: Callable[[int], None] = lambda _: None

    def __enter__(self) -> "Seen":
        return self

    def __exit__(self, *exception: object) -> None: ...

    def sending(self, name: str, sent_bytes: int, size_bytes: int) -> None:
        self.bytes.append(sent_bytes)
        self.on_bytes(sent_bytes)

    def sent(self, name: str) -> None: ...

    def preparing(self, name: str, what: str, done: int, total: int) -> None:
        self.stages.append((what, done, total))

    def prepared(self, name: str) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)

    def result(self, text: str) -> None:
        self.results.append(text)


SMALL_PARTS = Options(part_bytes=PART_BYTES)
