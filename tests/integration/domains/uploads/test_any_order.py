"""Whatever the order of parts and the accidents on the way: the same bytes, or an error."""

import itertools
import random

import anyio
import pytest

from tests.integration.domains.uploads.sending import Uploads

pytestmark = pytest.mark.anyio

RUNS = 12


def cuts(rng: random.Random, content: bytes) -> list[bytes]:
    """Cut a file into parts of 4 bytes and more, the last one of any size."""
    parts, start = [], 0
    while len(content) - start > 8:
        end = start + rng.choice([4, 4, 4, 5, 7])
        parts.append(content[start:end])
        start = end
    return [*parts, content[start:]]


def ranges(rng: random.Random, parts: list[bytes], kind: str) -> list[str]:
    """Return a header for each part; the total is told now and then, by the last always."""
    size = sum(map(len, parts))
    starts = [0, *itertools.accumulate(map(len, parts))]
    headers = []
    for number, part in enumerate(parts):
        known = number == len(parts) - 1 or rng.random() < 0.3
        if kind == "part":
            headers.append(f"part {number + 1}/{len(parts) if known else '*'}")
        else:
            last = starts[number] + len(part) - 1
            headers.append(f"bytes {starts[number]}-{last}/{size if known else '*'}")
    return headers


@pytest.mark.parametrize("kind", ["part", "bytes"])
@pytest.mark.parametrize("seed", range(RUNS))
async def test_any_interleaving_gives_the_same_bytes(
    uploads: Uploads, kind: str, seed: int
) -> None:
    rng = random.Random(f"{kind} {seed}")
    content = rng.randbytes(rng.randint(9, 120))
    parts = cuts(rng, content)
    requests = list(zip(parts, ranges(rng, parts, kind), strict=True))
    # Some come twice, at the same time or later.
    requests += rng.choices(requests, k=rng.randint(0, 3))
    rng.shuffle(requests)
    last = requests.index(next(r for r in requests if r[1] == ranges_end(parts, kind)))
    # Until the total is told, a part below the minimum cannot be known to be the last.
    requests.insert(0, requests.pop(last))
    at_once = rng.choice([1, 2, 5])
    for batch in batches(requests, at_once):
        async with anyio.create_task_group() as group:
            for part, header in batch:
                group.start_soon(uploads.send, part, header)
    for reply in uploads.replies:
        assert reply.status_code in {201, 400}, reply.text
        if reply.status_code == 400:
            slug = reply.json()["type"].rpartition("/")[2]
            assert slug.endswith(("already-sent", "overlap", "already-uploaded")), slug
    assert await uploads.content() == content
    assert await uploads.assets() == 1
    assert await uploads.claims() == 0


def ranges_end(parts: list[bytes], kind: str) -> str:
    """Return the header of the last part."""
    size = sum(map(len, parts))
    if kind == "part":
        return f"part {len(parts)}/{len(parts)}"
    return f"bytes {size - len(parts[-1])}-{size - 1}/{size}"


def batches(requests: list[tuple[bytes, str]], size: int) -> list[list[tuple[bytes, str]]]:
    """Return the requests in groups that are sent at the same time."""
    return [requests[first : first + size] for first in range(0, len(requests), size)]
