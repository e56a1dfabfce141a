"""What the benchmarks of uploads share: clients that cost little, and what they send."""

import http.client
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from serving import Telecine
from telecine import ids

MIB = 1 << 20
BOUNDARY = "6f1d2c3b4a5968778695a4b3c2d1e0f1"  # as long as those of the official Python client
_SEND_BYTES = MIB


@dataclass(frozen=True)
class Part:
    """The body of a request with one part of a file, in memory."""

    number: int
    total: int
    content: bytes

    @property
    def size_bytes(self) -> int:
        """Return how much of the file it brings."""
        return len(self.content)

    @property
    def head(self) -> bytes:
        """Return what stands before the file's bytes."""
        return (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; '
            'filename="measured.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
        ).encode()

    @property
    def tail(self) -> bytes:
        """Return what stands behind them."""
        return f"\r\n--{BOUNDARY}--\r\n".encode()

    method = "POST"

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that describe it."""
        return {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(len(self.head) + self.size_bytes + len(self.tail)),
            "Content-Range": f"part {self.number}/{self.total}",
        }


@dataclass(frozen=True)
class Patch:
    """The body of a request that brings a whole file, as tus has it."""

    content: bytes
    method = "PATCH"
    head = tail = b""

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that describe it."""
        return {
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": "0",
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(len(self.content)),
        }


def noise(size_bytes: int) -> bytes:
    """Return bytes without any pattern."""
    return ids.random_bytes(size_bytes)


class Connection:
    """One keep-alive connection."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def begin(self, path: str, part: Part | Patch, headers: dict[str, str]) -> None:
        """Send a request up to the first byte of the file."""
        self._connection.putrequest(part.method, path, skip_accept_encoding=True)
        for name, value in {**part.headers, **headers}.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(part.head)

    def send(self, data: bytes | memoryview) -> None:
        """Send bytes."""
        for at in range(0, len(data), _SEND_BYTES):
            self._connection.send(memoryview(data)[at : at + _SEND_BYTES])

    def end(self) -> int:
        """Return the status of the answer. Raises SystemExit unless it is a success."""
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status >= 300:
            raise SystemExit(f"{reply.status}: {body[:500].decode(errors='replace')}")
        return reply.status

    def post(self, path: str, part: Part, headers: dict[str, str]) -> int:
        """Send a whole request; return the status of its answer."""
        self.begin(path, part, headers)
        self.send(part.content)
        self.send(part.tail)
        return self.end()

    def put(self, path: str, content: bytes) -> int:
        """Send bytes as they are; return the status of the answer."""
        self._connection.putrequest("PUT", path, skip_accept_encoding=True)
        self._connection.putheader("Content-Length", str(len(content)))
        self._connection.endheaders()
        self.send(content)
        return self.end()


def client(telecine: Telecine) -> httpx.Client:
    """Return a client for everything but the bytes."""
    return httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120)


def authorization(telecine: Telecine) -> dict[str, str]:
    """Return the header that a key makes."""
    return {"Authorization": "Basic " + b64encode(f"{telecine.key}:".encode()).decode()}


def new_video(api: httpx.Client) -> str:
    """Create a video; return the path of its source."""
    reply = api.post("/videos", json={"title": "measured"}).raise_for_status()
    return f"/videos/{reply.json()['videoId']}/source"


def new_upload(api: httpx.Client, size_bytes: int) -> str:
    """Begin an upload by tus; return its path."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(size_bytes)}
    reply = api.post("/tus/", headers=headers).raise_for_status()
    return urlsplit(reply.headers["location"]).path


def delete(api: httpx.Client, source: str) -> None:
    """Delete the video again, so that the disk does not fill up."""
    video_id = source.split("/")[2]
    api.delete(f"/videos/{video_id}").raise_for_status()
