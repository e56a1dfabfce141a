"""`telecine upload`: sends files as any client of the API would."""

import io
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from telecine import clock, settings
from telecine.cli.operating import refusal
from telecine.cli.waiting import pause
from telecine.processes.exits import CannotGoOn, Exit

PART_BYTES = 50 << 20
WHOLE_BYTES = 200 << 20
"""The most that one request may carry; larger files go in parts."""

_TIMEOUT = httpx.Timeout(30, read=120)
_POLL_S = 0.25


class Uploader:
    """The API of a running installation, with one of its keys."""

    def __init__(self, base_url: str, key: str) -> None:
        self._client = httpx.Client(
            base_url=base_url, auth=(key, ""), timeout=_TIMEOUT, trust_env=False
        )

    def create(self, title: str, tags: list[str]) -> str:
        """Create a video and return its id. Raises CannotGoOn."""
        video = self._ask("POST", "/videos", json={"title": title, "tags": tags})
        return str(video["videoId"])

    def send(self, video_id: str, path: Path, sent: Callable[[int], None]) -> dict[str, Any]:
        """Send a file, telling `sent` how many bytes have gone; return the video.

        Raises:
            CannotGoOn: the server is not there, or refuses.
        """
        size_bytes = path.stat().st_size
        parts = 1 if size_bytes <= WHOLE_BYTES else -(-size_bytes // PART_BYTES)
        video: dict[str, Any] = {}
        with path.open("rb") as file:
            for number in range(parts):
                begin = number * PART_BYTES
                end = size_bytes if number == parts - 1 else begin + PART_BYTES
                headers = {"Content-Range": f"part {number + 1}/{parts}"} if parts > 1 else {}
                piece = _Slice(file, begin, end, sent)
                video = self._ask(
                    "POST",
                    f"/videos/{video_id}/source",
                    headers=headers,
                    files={"file": (path.name, piece)},
                )
        return video

    def states(self, video_id: str) -> Iterator[dict[str, Any]]:
        """Yield the status of a video now and again and again. Raises CannotGoOn."""
        while True:
            yield self._ask("GET", f"/videos/{video_id}/status")
            pause(_POLL_S)

    def _ask(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
        try:
            reply = self._client.request(method, path, **options)
        except httpx.TransportError as error:
            msg = f"There is no server at {self._client.base_url}: {error}. Is it running?"
            raise CannotGoOn(Exit.SERVER_UNREACHABLE, msg) from error
        if reply.is_error:
            raise CannotGoOn(Exit.FAILED, refusal(reply))
        return reply.json()


class _Slice(io.RawIOBase):
    """Bytes [begin, end) of a file, telling how far they were read."""

    def __init__(self, file: BinaryIO, begin: int, end: int, told: Callable[[int], None]) -> None:
        self._file = file
        self._begin = begin
        self._size = end - begin
        self._told = told
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        left = self._size - self._position
        self._file.seek(self._begin + self._position)
        data = self._file.read(left if size < 0 else min(size, left))
        self._position += len(data)
        self._told(self._begin + self._position)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, as callers do that measure the length."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seekable(self) -> bool:
        """Tell that the length can be measured."""
        return True


def run(
    files: list[Path],
    *,
    title: str | None,
    key: str | None,
    server: str | None,
    tag_folder: bool,
    open_page: bool,
) -> None:
    """Upload files one after the other.

    Raises:
        CannotGoOn: there is no key or server, or a video failed.
    """
    effective = settings.load()
    if key is None and effective.api_key is not None:
        key = effective.api_key.get_secret_value()
    if key is None:
        msg = "No API key: give --key or set TELECINE_API_KEY (`telecine keys create` makes one)."
        raise CannotGoOn(Exit.USAGE, msg)
    uploader = Uploader(server or effective.api_url, key)
    for path in files:
        tags = [path.resolve().parent.name] if tag_folder else []
        video = upload(uploader, path, title or path.stem, tags)
        if open_page:
            webbrowser.open(video["assets"]["player"])


def upload(uploader: Uploader, path: Path, title: str, tags: list[str]) -> dict[str, Any]:
    """Upload a file, print its URLs once it plays, wait for its qualities."""
    console = Console(stderr=True)
    started_s = clock.monotonic_s()
    video_id = uploader.create(title, tags)
    with _byte_progress(console) as progress:
        task = progress.add_task(path.name, total=path.stat().st_size)
        video = uploader.send(
            video_id, path, lambda offset: progress.update(task, completed=offset)
        )
    with _quality_progress(console) as progress:
        task = progress.add_task("preparing", total=None)
        told = False
        for state in uploader.states(video_id):
            encoding = state["encoding"]
            if encoding["playable"] and not told:
                told = True
                progress.update(task, description="encoding")
                _tell(video, clock.monotonic_s() - started_s)
            states = [each["status"] for each in encoding["qualities"]]
            done = sum(each in {"encoded", "failed"} for each in states)
            progress.update(task, total=len(states) or None, completed=done)
            if states and done == len(states):
                if "failed" in states:
                    raise CannotGoOn(Exit.FAILED, f"{path.name}: the media could not be encoded")
                return video
    return video


def _tell(video: dict[str, Any], seconds: float) -> None:
    typer.echo(f"Playable after {seconds:.1f} s")
    typer.echo(f"Player  {video['assets']['player']}")
    typer.echo(f"HLS     {video['assets']['hls']}")


def _byte_progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _quality_progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=console,
        transient=True,
    )
