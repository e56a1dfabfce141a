"""What a process holds of the events that its viewers watch: each is pulled once.

Nothing is asked of an owner for streams that nobody watches.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog

from telecine import clock
from telecine.live.frames import FrameError, frame, read_frame, unpack
from telecine.live.model import SOURCE
from telecine.live.nodes import Owners
from telecine.live.window import Segment, Window

log = structlog.get_logger()

IDLE_S = 30.0
"""A mirror that no viewer asked for so long is dropped."""

ASK_AGAIN_S = 0.3
"""How often an owner is asked for a stream that is not on the air while viewers wait."""

KEPT_S = 60.0
"""How long viewers keep what there was when its owner died: it may go on with the event."""

ANSWER_S = 3.0
SEGMENT_S = 10.0
"""How long an old segment may take from its owner's storage."""

MOST_MIRRORS = 16
"""Of one stream: its own quality, and what there can be below."""

OFFER_S = 1.0
"""For so long it is believed what the owner offers."""

QUIET_S = 2.0
"""After so long without a word it is looked whether the owner still is the owner."""


class Mirror:
    """The window of one stream, None while it is not on the air."""

    def __init__(self) -> None:
        self.window: Window | None = None
        self.asked = asyncio.Event()
        self.there = asyncio.Event()  # whether there is a window
        self.lost_s: float | None = None  # when its owner went away
        self.used_s = clock.monotonic_s()

    def replace(self, fresh: Window) -> None:
        """Take the window over that the owner tells of; those who wait go on there."""
        before, self.window, self.lost_s = self.window, fresh, None
        self.asked.set()
        self.there.set()
        if before is not None and before.session == fresh.session:
            before.go_over(fresh)

    def lose(self) -> None:
        """Note that the owner said nothing of an end; it is being started again, perhaps."""
        now_s = clock.monotonic_s()
        if self.lost_s is None:
            self.lost_s = now_s
        elif now_s - self.lost_s > KEPT_S:
            self.drop()

    def drop(self) -> None:
        """Note that the stream is not on the air."""
        self.window = None
        self.there.clear()


class Offer:
    """The names of a stream's lower qualities, when last asked for."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self.asked_s = -math.inf
        self.asking = asyncio.Lock()


class Edge:
    """Follows the `owners` of events; `run` in the background."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._mirrors: dict[tuple[str, str], Mirror] = {}
        self._offers: dict[str, Offer] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Keep mirrors up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await asyncio.Event().wait()

    async def window(self, public_id: str, rendition: str = SOURCE) -> Window | None:
        """Return what can be watched of a stream, None if it is not on the air.

        Qualities that the owner does not offer are not asked for: names are easily invented.
        """
        place = public_id, rendition
        if place not in self._mirrors and rendition != SOURCE:
            on_air = await self.window(public_id) is not None
            if not on_air or not await self.offers(public_id, rendition):
                return None
        mirror = self._mirrors.get(place)
        if mirror is None:
            own = sum(stream == public_id for stream, _ in self._mirrors)
            if self._group is None or own >= MOST_MIRRORS:
                return None
            mirror = self._mirrors[place] = Mirror()
            self._group.create_task(self._keep(place, mirror))
        mirror.used_s = clock.monotonic_s()
        if not mirror.asked.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(mirror.asked.wait(), ANSWER_S)
        return mirror.window

    async def offers(self, public_id: str, rendition: str) -> bool:
        """Tell whether a stream has a lower quality of that name, or is about to.

        The owner is asked for all who come at the same time, and not again and again.
        """
        if (public_id, SOURCE) not in self._mirrors:
            return False
        offer, came_s = self._offers.setdefault(public_id, Offer()), clock.monotonic_s()
        if rendition in offer.names and came_s - offer.asked_s < OFFER_S:
            return True
        async with offer.asking:
            if offer.asked_s < came_s:
                await asyncio.sleep(max(0.0, offer.asked_s + ASK_AGAIN_S - clock.monotonic_s()))
                offer.asked_s = clock.monotonic_s()
                found = await self.qualities(public_id)
                offer.names = frozenset(str(each["name"]) for each in found)
        return rendition in offer.names

    def kept(self, public_id: str, rendition: str) -> Window | None:
        """Return what is mirrored here already, None if the owner would have to be asked."""
        mirror = self._mirrors.get((public_id, rendition))
        if mirror is None or mirror.window is None:
            return None
        mirror.used_s = clock.monotonic_s()
        return mirror.window

    async def appearance(
        self, public_id: str, within_s: float, rendition: str = SOURCE
    ) -> Window | None:
        """Wait until a stream can be watched; None: nobody broadcast within the time."""
        window = await self.window(public_id, rendition)
        mirror = self._mirrors.get((public_id, rendition))
        if window is not None or mirror is None:
            return window
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(mirror.there.wait(), within_s)
        return mirror.window

    async def old_segment(
        self, public_id: str, rendition: str, window: Window, segment: Segment
    ) -> bytes | None:
        """Return a segment that is no longer in memory, None if the owner lost it too."""
        asked = frame(
            "read",
            stream=public_id,
            rendition=rendition,
            session=window.session,
            msn=segment.msn,
        )
        answer = await self._answer(public_id, asked, SEGMENT_S)
        return answer[1] if answer is not None and answer[0]["kind"] == "data" else None

    async def picture(self, public_id: str) -> bytes | None:
        """Return the newest key frame of a stream as a JPEG, None if it has none."""
        answer = await self._answer(public_id, frame("picture", stream=public_id))
        return answer[1] if answer is not None and answer[0]["kind"] == "data" else None

    async def status(self, public_id: str) -> dict[str, Any]:
        """Return how the event of a stream is doing; `on_air` is false if there is none."""
        answer = await self._answer(public_id, frame("status", stream=public_id))
        return answer[0] if answer is not None else {"on_air": False}

    @contextlib.asynccontextmanager
    async def _asking(
        self, public_id: str, question: bytes
    ) -> AsyncIterator[asyncio.StreamReader | None]:
        try:
            reader, writer = await self._owners.reach(public_id)
        except OSError:  # the owner is being started again, or its machine is gone
            yield None
            return
        try:
            writer.write(question)
            yield reader
        finally:
            writer.close()

    async def qualities(self, public_id: str) -> list[dict[str, Any]]:
        """Return the lower qualities of a stream: name, peak_bps, codecs and size of each."""
        answer = await self._answer(public_id, frame("qualities", stream=public_id))
        return answer[0]["found"] if answer is not None else []

    async def _answer(
        self, public_id: str, question: bytes, within_s: float | None = None
    ) -> tuple[dict[str, Any], bytes] | None:
        """Ask the owner once; None where it says nothing in time that can be understood."""
        try:
            async with asyncio.timeout(within_s or ANSWER_S):
                async with self._asking(public_id, question) as reader:
                    return None if reader is None else await read_frame(reader)
        except (FrameError, TimeoutError) as error:
            log.warning("owner does not answer", stream=public_id, reason=repr(error))
            return None

    async def _keep(self, place: tuple[str, str], mirror: Mirror) -> None:
        """Mirror a stream for as long as viewers ask for it."""
        try:
            while clock.monotonic_s() - mirror.used_s < IDLE_S:
                try:
                    await self._follow(place, mirror)
                except FrameError as error:
                    log.warning("mirror failed", stream=place[0], reason=str(error))
                except Exception:  # all other streams go on
                    log.exception("mirror broke", stream=place[0])
                mirror.asked.set()
                await asyncio.sleep(ASK_AGAIN_S)
        finally:
            self._mirrors.pop(place, None)
            if place[1] == SOURCE:
                self._offers.pop(place[0], None)

    async def _follow(self, place: tuple[str, str], mirror: Mirror) -> None:
        """Take over what the owner says, until it has nothing more to say."""
        known = mirror.window.session if mirror.window and mirror.window.ended else None
        fresh: Window | None = None
        held = 0  # so much of it is only half of what the owner has
        question = frame("follow", stream=place[0], rendition=place[1], known=known)
        address = await self._owners.address(place[0])

        async def stays() -> bool:
            return await self._owners.address(place[0]) == address

        async with self._asking(place[0], question) as reader:
            async for head, data in _frames(reader, mirror, stays):
                if head["kind"] in ("none", "same"):
                    mirror.lost_s = None
                    if head["kind"] == "none":
                        mirror.drop()
                    return
                if head["kind"] == "event":
                    fresh = Window(head["session"], head["length_ms"], mirrored=True)
                    fresh.discontinuities_gone = head["discontinuities_gone"]
                    fresh.peak_bps = head["peak_bps"]
                    held = head.get("held", 0)
                    continue
                if fresh is None:
                    raise FrameError(f"{head['kind']} before its event")
                told = unpack(head, data)
                if isinstance(told, Segment):
                    fresh.restore(told)
                else:
                    fresh.take(told)
                held -= 1
                if fresh is not mirror.window and fresh.playable and held <= 0:
                    mirror.replace(fresh)
        if fresh is None or not fresh.ended:
            mirror.lose()


async def _frames(
    reader: asyncio.StreamReader | None, mirror: Mirror, stays: Callable[[], Awaitable[bool]]
) -> AsyncIterator[tuple[dict[str, Any], bytes]]:
    """Yield frames until there are no more, or nobody watches the mirror any more.

    An owner that says nothing is left when the event is another's, which `stays` tells.
    """
    if reader is None:
        return
    pending = asyncio.ensure_future(read_frame(reader))
    try:
        while clock.monotonic_s() - mirror.used_s < IDLE_S:
            done, _ = await asyncio.wait({pending}, timeout=QUIET_S)
            if done:
                found = pending.result()
                if found is None:
                    return
                yield found
                pending = asyncio.ensure_future(read_frame(reader))
            elif not await stays():
                return
    finally:
        pending.cancel()
