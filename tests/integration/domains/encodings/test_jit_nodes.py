"""Several nodes that encode and show the same video: nothing is encoded twice."""

import asyncio
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from telecine.domains.encodings import wants
from telecine.domains.encodings.models import Want
from telecine.pipeline import encode
from telecine.pipeline.collector import EncodedRendition, Piece
from tests.fixtures.media import frame_numbers
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.domains.encodings.cinema import FRAMES, House, opened

pytestmark = pytest.mark.anyio

NODES = 2
VIEWERS = 3  # of each node


class Encodes:
    """Counts in how many encodes each segment was; those in `held` come when they may."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of_segment: Counter[tuple[str, int]] = Counter()
        self.held: set[int] = set()
        self.may_come = asyncio.Event()
        self._starts = house.asset.plan.segment_pieces
        self._encode = encode.encode_chunk
        monkeypatch.setattr(encode, "encode_chunk", self._counted)

    async def _counted(self, *given: Any, on_piece: Any, **others: Any) -> list[EncodedRendition]:
        names: Sequence[str]
        *_, names, first, end = given
        self.of_segment.update((name, n) for name in names for n in range(first, end))

        async def told(piece: Piece) -> None:
            if bisect_right(self._starts, piece.number) - 1 in self.held:
                await self.may_come.wait()
            await on_piece(piece)

        return await self._encode(*given, on_piece=told, **others)


@pytest.fixture
def encodes(house: House, monkeypatch: pytest.MonkeyPatch) -> Encodes:
    """Count encodes; no lease and no want lapses only because a machine is slow."""
    monkeypatch.setattr(wants, "LEASE_S", PATIENCE_S)
    monkeypatch.setattr(wants, "WANTED_S", PATIENCE_S)
    return Encodes(house, monkeypatch)


async def wanted(house: House) -> set[int]:
    """Return the segments that viewers wait for."""
    waited_for = Want.wanted_until > func.clock_timestamp()
    async with house.bench.db.transaction() as tx:
        return set(await tx.scalars(select(Want.segment).where(waited_for)))


async def test_each_segment_is_encoded_once_whoever_asks_where(
    house: House, encodes: Encodes, tmp_path: Path
) -> None:
    """All viewers of all nodes want all of a video at once, each in an order of their own."""
    count = house.asset.plan.segments
    encodes.held = set(range(count))
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(opened(house, tmp_path / str(number), 100))
            for number in range(NODES)
        ]
        seen: list[dict[int, bytes]] = []

        async def watch(node: int, seed: int) -> None:
            order = random.Random(seed).sample(range(count), count)
            async with asyncio.TaskGroup() as group:
                asked = {n: group.create_task(nodes[node].segment(n)) for n in order}
            seen.append({n: task.result() for n, task in asked.items()})

        async with asyncio.TaskGroup() as group:
            for viewer in range(NODES * VIEWERS):
                group.create_task(watch(viewer % NODES, viewer))

            async def all_are_wanted() -> bool:
                return await wanted(house) == encodes.held

            await until(all_are_wanted)
            encodes.may_come.set()
        init = await nodes[0].init()
    assert encodes.of_segment == {("240p", n): 1 for n in range(count)}
    assert all(each == seen[0] for each in seen)
    assert frame_numbers(init + b"".join(seen[0][n] for n in range(count))) == list(range(FRAMES))


async def test_who_goes_on_waits_for_the_encode_that_is_ahead(
    house: House, encodes: Encodes, tmp_path: Path
) -> None:
    """The segment behind the first is being encoded already: nobody begins it anew."""
    async with opened(house, tmp_path / "0") as here, opened(house, tmp_path / "1") as there:
        encodes.held = {1}
        await here.segment(0)
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(node.segment(1)) for node in (here, there)]

            async def is_wanted() -> bool:
                return await wanted(house) == encodes.held

            await until(is_wanted)
            async with house.bench.db.transaction() as tx:
                assert await wants.claim(tx, "another") is None
            encodes.may_come.set()
        assert len({task.result() for task in following}) == 1
    assert encodes.of_segment == {("240p", 0): 1, ("240p", 1): 1}
