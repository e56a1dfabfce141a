"""What becomes of a video after its upload."""

import asyncio
from collections.abc import Callable
from typing import Any

from telecine import clock
from telecine.cli.upload.api import Api, Video
from telecine.cli.upload.display import Display
from telecine.cli.upload.patience import Patience, Pause
from telecine.cli.upload.wishes import Wait
from telecine.processes.exits import CannotGoOn, Exit

_FIRST_S = 0.25
_LONGEST_S = 2.0


class Watcher:
    """Asks again and again until a video is what is waited for."""

    def __init__(
        self,
        api: Api,
        patience: Patience,
        display: Display,
        wait: Wait,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._api = api
        self._patience = patience
        self._display = display
        self._wait = wait
        self._pause = pause

    async def watch(self, name: str, video: Video, on_playable: Callable[[], None]) -> None:
        """Return when a video is ready; call `on_playable` as soon as it can be played.

        Raises:
            CannotGoOn: it will never be, or the server is gone.
        """
        if self._wait is Wait.NONE:
            return
        watch = self._watch_manifest if self._api.token is not None else self._watch_status
        try:
            await watch(name, video, on_playable)
        finally:
            self._display.prepared(name)

    async def _watch_manifest(
        self, name: str, video: Video, on_playable: Callable[[], None]
    ) -> None:
        """Wait as viewers do: whoever has a token only may not ask for a status."""
        delay_s = _FIRST_S
        while not await self._patience.insist(lambda _: self._api.has_manifest(video.hls)):
            self._display.preparing(name, "preparing", 0, 0)
            await self._pause(delay_s)
            delay_s = min(_LONGEST_S, delay_s * 1.2)
        on_playable()

    async def _watch_status(self, name: str, video: Video, on_playable: Callable[[], None]) -> None:
        delay_s, told, stalled = _FIRST_S, False, _Stalled(self._patience.limit_s)
        while True:
            status = await self._patience.insist(lambda _: self._api.status(video.video_id))
            encoding = status["encoding"]
            states = [each["status"] for each in encoding["qualities"]]
            done = sum(state in {"encoded", "failed"} for state in states)
            if encoding["playable"] and not told:
                told = True
                on_playable()
                if self._wait is Wait.PLAYABLE:
                    return
            if states and done == len(states):
                if "failed" in states:
                    await self._raise_failure(video, "The media could not be encoded.")
                return
            if _is_fetching(status):
                await self._check_fetch(video, stalled, status)
            self._display.preparing(name, _stage(status), done, len(states))
            await self._pause(delay_s)
            delay_s = min(_LONGEST_S, delay_s * 1.2)

    async def _check_fetch(self, video: Video, stalled: "_Stalled", status: Any) -> None:  # noqa: ANN401 - JSON
        """Raise CannotGoOn if the server has given up to fetch a file, as far as we can see."""
        if await self._patience.insist(lambda _: self._api.failure(video.video_id)):
            await self._raise_failure(video, "The file could not be fetched.")
        if stalled.since(status["ingest"]["receivedBytes"]):
            path = f"/_/videos/{video.video_id}/jobs"
            await self._raise_failure(video, f"Nothing arrives any more: GET {path} tells why.")

    async def _raise_failure(self, video: Video, what: str) -> None:
        reason = await self._patience.insist(lambda _: self._api.failure(video.video_id))
        raise CannotGoOn(Exit.FAILED, what if reason is None else f"{what} {reason}")


class _Stalled:
    """Tells when something has not changed for a while."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since_s = clock.monotonic_s()
        self._last: object = None

    def since(self, seen: object) -> bool:
        """Note what is seen now; tell whether it is the same for too long."""
        now_s = clock.monotonic_s()
        if seen != self._last:
            self._last, self._since_s = seen, now_s
        return now_s - self._since_s > self._limit_s


def _is_fetching(status: Any) -> bool:  # noqa: ANN401 - JSON
    return status["ingest"] is not None and status["ingest"]["status"] == "ingesting"


def _stage(status: Any) -> str:  # noqa: ANN401 - JSON
    if status["encoding"]["playable"]:
        return "encoding"
    if not _is_fetching(status):
        return "preparing"
    arrived = sum(each["to"] - each["from"] + 1 for each in status["ingest"]["receivedBytes"])
    size_bytes = status["ingest"]["filesize"]
    if size_bytes:
        return f"fetching, {arrived * 100 // size_bytes} % of {size_bytes / 1e6:.1f} MB"
    return f"fetching, {arrived / 1e6:.1f} MB"
