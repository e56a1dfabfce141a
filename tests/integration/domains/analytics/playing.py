"""Players of the second generation, and what they play."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from telecine import clock

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/130.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)


async def make_video(client: httpx.AsyncClient, title: str, **more: Any) -> str:
    made = await client.post("/videos", json={"title": title, **more})
    assert made.status_code == 201
    found: str = made.json()["videoId"]
    return found


_pages: Iterator[int] = itertools.count(1)


@dataclass
class Player:
    """A player of the second generation whose events are told in seconds before now."""

    client: httpx.AsyncClient
    media_id: str
    user_agent: str = CHROME
    referrer: str = ""
    tab: str = field(default_factory=lambda: f"tab{next(_pages)}")
    page: str = field(default_factory=lambda: f"page{next(_pages)}")

    async def send(
        self, *events: tuple[float, int, float], now_ms: int | None = None, **more: Any
    ) -> httpx.Response:
        """Send (seconds ago, type, position); what is paused follows from the type."""
        now_ms = clock.unix_ms() if now_ms is None else now_ms
        batch = {
            "sat": now_ms,
            "sid": self.tab,
            "pid": self.page,
            "mid": self.media_id,
            "ref": self.referrer,
            "ver": "0.1.0",
            "eve": [
                {"eat": now_ms - round(ago_s * 1000), "typ": kind, "vti": at, "pau": kind in (3, 6)}
                for ago_s, kind, at in events
            ],
            **more,
        }
        headers = {"user-agent": self.user_agent, "content-type": "text/plain"}
        answer = await self.client.post("/watch", json=batch, headers=headers)
        assert answer.status_code == 204
        return answer

    async def watch(self, ago_s: float, length_s: float, *, to_the_end: bool = False) -> None:
        """Load, play and stop a video, with a ping every five seconds."""
        now_ms = clock.unix_ms()  # one for all: how long the machine takes is not watched
        begin = ((ago_s + 1, 8, 0.0), (ago_s + 0.5, 1, 0.0), (ago_s, 2, 0.0))
        await self.send(*begin, now_ms=now_ms)
        for at in range(5, int(length_s), 5):
            await self.send((ago_s - at, 4, at), now_ms=now_ms)
        end = (ago_s - length_s, 6 if to_the_end else 3, length_s)
        await self.send(end, now_ms=now_ms)


def iso(moment: datetime) -> str:
    """Return a time as browsers write it."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
