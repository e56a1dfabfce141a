import pytest
from fastapi import Request

from telecine.domains.uploads.tus.body import Body, Ending, Meter
from telecine.domains.uploads.tus.fields import Checksum
from telecine.http import batches

pytestmark = pytest.mark.anyio

READ_BYTES = 256_000


class Sink:
    """Notes how much it is given at once, and how many bodies arrive meanwhile."""

    def __init__(self, bodies: set[object]) -> None:
        self.writes: list[int] = []
        self.arriving: set[int] = set()
        self._bodies = bodies

    async def write(self, *pieces: bytes | memoryview) -> None:
        self.writes.append(sum(map(len, pieces)))
        self.arriving.add(len(self._bodies))


async def lives() -> bool:
    return True


def body_of(reads: int) -> Body:
    """Return a body that comes in so many reads."""
    left = [bytes(READ_BYTES)] * reads

    async def receive() -> dict[str, object]:
        data = left.pop()
        return {"type": "http.request", "body": data, "more_body": bool(left)}

    return Body(Request({"type": "http", "method": "PATCH", "headers": []}, receive), lives)


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> set[object]:
    """What arrives at the process; the test's own."""
    arriving: set[object] = set()
    monkeypatch.setattr(batches, "_bodies", arriving)
    return arriving


async def filled(bodies: set[object], checksum: Checksum | None = None) -> Sink:
    sink = Sink(bodies)
    meter = Meter(0, 10**8, checksum)
    assert await meter.fill(sink, body_of(12), None) is Ending.BODY
    assert meter.position == sum(sink.writes) == 12 * READ_BYTES
    return sink


async def test_a_body_is_passed_on_in_large_batches(bodies: set[object]) -> None:
    assert (await filled(bodies)).writes == [1 << 21, 12 * READ_BYTES - (1 << 21)]


@pytest.mark.parametrize("checksum", [None, Checksum("sha1", b"")])
async def test_with_many_others_batches_are_small(
    bodies: set[object], checksum: Checksum | None
) -> None:
    bodies |= {object() for _ in range(15)}
    assert (await filled(bodies, checksum)).writes == [786_432] * 3 + [
        12 * READ_BYTES - 3 * 786_432
    ]
    bodies |= {object() for _ in range(60)}
    sink = await filled(bodies, checksum)
    assert sink.writes == [READ_BYTES] * 12
    assert sink.arriving == {76}, "the body counts, for the others"
    assert len(bodies) == 75, "until it has come"
