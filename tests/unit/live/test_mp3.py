import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from telecine.ffmpeg.errors import MediaError
from telecine.ffmpeg.runner import Runner
from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Coded
from telecine.live.mp3 import AacFromMp3
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio

FAR_MS = 5000


class Children:
    """Takes the place of ffmpeg: fails, or reads what it is given until nothing more comes."""

    def __init__(self) -> None:
        self.fails = False
        self.begun = 0
        self.read = b""

    async def run(self, *_: Any, feed: AsyncIterator[bytes], **__: Any) -> None:
        self.begun += 1
        if self.fails:
            raise MediaError("unreadable", "no sound")
        async for data in feed:
            self.read += data


def sound(size: int = 1) -> list[Coded]:
    return [Coded(False, 0, ".mp3", True, 0, b"s" * size)]


async def test_a_clock_that_jumps_with_every_packet_has_one_child_at_a_time() -> None:
    """What is over before a child has begun with it is forgotten."""
    children, failures = Children(), list[str]()
    converted = AacFromMp3("li1", cast("Runner", children), lambda *_: None, failures.append)
    for number in range(1000):
        converted.take(number * FAR_MS, sound())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(converted.run())

        async def read() -> bool:
            return b"\x2fs" in children.read

        await until(read)
        assert (children.begun, children.read.count(b"\x2fs")) == (1, 1)
        running.cancel()
    assert failures == []


async def test_what_a_child_that_failed_left_is_not_charged_to_the_next() -> None:
    children, failures = Children(), list[str]()
    converted = AacFromMp3("li1", cast("Runner", children), lambda *_: None, failures.append)
    for _ in range(21):
        converted.take(0, sound(50_000))
    with pytest.raises(FormatError, match="faster"):
        converted.take(0, sound())
    children.fails = True
    async with asyncio.TaskGroup() as group:
        running = group.create_task(converted.run())

        async def failed() -> bool:
            return failures == ["sound as MP3 that cannot be converted"]

        await until(failed)
        running.cancel()
    converted.take(0, sound())
