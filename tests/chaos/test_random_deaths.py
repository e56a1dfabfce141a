"""Processes die at random while many videos are encoded: all finish, little is done twice."""

import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
import pytest

from telecine.db.embedded import running_url
from telecine.domains.encodings import wants
from tests.chaos import killing
from tests.chaos.conftest import Victim
from tests.fixtures.customer import finished
from tests.fixtures.media import barcode_mp4, frame_numbers
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

FRAMES = 120
ENCODES = ("chunk ", "on demand ")
"""Of each video one chunk, and its first segments ahead of it: its sound is copied."""

KINDS: dict[str, Callable[[int], bool]] = {
    "worker": killing.is_worker,
    "api": killing.is_api,
    "ffmpeg": lambda pid: killing.words(pid)[:1] == ["ffmpeg"],
    "postgres": killing.is_postmaster,
}
COSTING = ("worker", "ffmpeg", "postgres")
"""An API process encodes nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    state: str
    attempt: int


@dataclass
class Studio:
    """Videos that are being encoded, and the deaths meanwhile."""

    victim: Victim
    videos: list[str]
    chance: random.Random
    deaths: Counter[str] = field(default_factory=Counter)
    seen_done: int = 0

    def encodes(self) -> list[Step]:
        """Return all encodes, as the database tells them; nothing while it is away."""
        rows = self._asked("step.name, step.state, step.attempt FROM step", "step")
        return [Step(*row) for row in rows if str(row[0]).startswith(ENCODES)]

    def left(self) -> bool:
        """Tell whether anything remains to be encoded, as far as is known."""
        states = {row[0] for row in self._asked("rendition.state FROM rendition", "rendition")}
        return states != {"encoded"}

    def _asked(self, what: LiteralString, of: LiteralString) -> list[tuple[Any, ...]]:
        url = running_url(self.victim.data)
        if url is None:
            return []
        join = f"JOIN asset ON asset.id = {of}.asset_id WHERE asset.public_id = ANY(%s)"
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                return connection.execute(f"SELECT {what} {join}", [self.videos]).fetchall()
        except psycopg.OperationalError:
            return []

    def done(self) -> int:
        """Return how many encodes were seen done; a database that is away undoes none."""
        now = len([step for step in self.encodes() if step.state == "done"])
        self.seen_done = max(self.seen_done, now)
        return self.seen_done

    async def go_on(self) -> bool:
        """Wait until more is done than before, and then for a moment of no length.

        False: nothing is left to do.
        """
        looks, left = self.chance.randrange(20), True
        before = self.done()

        async def now() -> bool:
            nonlocal looks, left
            self.victim.revive()
            looks -= self.done() > before
            left = self.left()
            return looks < 0 or not left

        await until(now)
        return left

    async def die(self, kind: str) -> None:
        """Kill a process of a kind, as soon as there is one."""

        async def hit() -> bool:
            self.victim.revive()
            found = [pid for pid in killing.descendants(self.victim.supervisor) if KINDS[kind](pid)]
            if found:
                killing.kill(self.chance.choice(found))
            return bool(found)

        await until(hit)
        self.deaths[kind] += 1


async def test_all_finish_and_little_is_done_twice(
    victim: Victim, pytestconfig: pytest.Config
) -> None:
    count = int(pytestconfig.getoption("--encodes"))
    clip = barcode_mp4(frames=FRAMES, width_px=640, height_px=360, keyframe_interval=130)
    videos = [victim.customer.upload(clip) for _ in range(count)]
    studio = Studio(victim, videos, random.Random(count))
    kinds = list(KINDS) + [studio.chance.choice(list(KINDS)) for _ in range(count // 2)]
    for kind in kinds[: max(len(KINDS), count // 2)]:
        # Each time something gets done, or a job might be hit as often as it may be tried.
        if not await studio.go_on():
            break
        await studio.die(kind)
    assert len(studio.deaths) > 1
    for video_id in videos:
        found = await finished(victim.customer, video_id)
        assert {quality["status"] for quality in found["qualities"]} == {"encoded"}
        assert set(victim.completions(video_id).values()) == {1}
        shown = victim.customer.watch(video_id)
        assert shown.qualities == {"240p", "360p"}
        for quality in shown.qualities:
            assert frame_numbers(shown.stream(quality).media) == list(range(FRAMES))
    steps = studio.encodes()
    # What was wanted ahead and was hit as often as it may be tried, the chunk did.
    given_up = {(step.name[:9], step.attempt) for step in steps if step.state != "done"}
    assert given_up <= {("on demand", wants.ATTEMPTS)}
    again = sum(step.attempt - 1 for step in steps)
    untold = max(0, count - len(steps))  # who had encoded it died before it was written down
    dead = sum(studio.deaths[kind] for kind in COSTING)
    assert again + untold <= dead, (again, untold, studio.deaths)
    # Nobody dies of the death of another.
    died = [json.loads(line) for line in victim.log.splitlines() if '"child_died"' in line]
    assert {death["status"] for death in died} == {-signal.SIGKILL}
    victim.fsck()
