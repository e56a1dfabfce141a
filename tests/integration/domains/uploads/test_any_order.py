"""Whatever the order of parts and the accidents on the way: the same bytes, or an error.

Every run draws other examples; one that fails is printed with what repeats it.
"""

import hashlib
import itertools
from dataclasses import dataclass

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Part, Source
from tests.integration.domains.uploads.rules import Rules
from tests.integration.domains.uploads.sending import Uploads

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(256))
MIN_BYTES = 4

drawn = settings(
    max_examples=12,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class File:
    """A file, cut into parts; the headers that tell of each, with and without the total."""

    kind: str
    parts: list[bytes]
    headers: list[tuple[str, str]]

    @property
    def content(self) -> bytes:
        return b"".join(self.parts)


@st.composite
def files(draw: st.DrawFn) -> File:
    """Draw one: parts of 4 bytes and more, the last one of any size."""
    kind = draw(st.sampled_from(["part", "bytes"]))
    sizes = draw(st.lists(st.integers(MIN_BYTES, 7), max_size=4))
    sizes.append(draw(st.integers(1, 9)))
    ends = list(itertools.accumulate(sizes))
    starts = [0, *ends[:-1]]
    if kind == "part":
        told = [(f"part {number + 1}", len(sizes)) for number in range(len(sizes))]
    else:
        told = [(f"bytes {a}-{b - 1}", ends[-1]) for a, b in zip(starts, ends, strict=True)]
    headers = [(f"{words}/*", f"{words}/{total}") for words, total in told]
    return File(kind, [CONTENT[a:b] for a, b in zip(starts, ends, strict=True)], headers)


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[File, list[list[tuple[bytes, str]]]]:
    """Draw a file and its requests in any order, some twice, in groups sent at once."""
    file = draw(files())
    requests = []
    last = len(file.parts) - 1
    for number, (part, (open_, total)) in enumerate(zip(file.parts, file.headers, strict=True)):
        # Only the last part may be small, and it is the last for who tells the total.
        requests.append((part, total if number == last or draw(st.booleans()) else open_))
    requests += draw(st.lists(st.sampled_from(requests), max_size=3))
    requests = draw(st.permutations(requests))
    at_once = draw(st.sampled_from([1, 2, 5]))
    return file, [requests[i : i + at_once] for i in range(0, len(requests), at_once)]


async def start_anew(uploads: Uploads) -> None:
    """Make a new video; those of earlier examples, also of failed ones, are forgotten."""
    async with uploads.db.transaction() as tx:
        for table in (Asset, Part, Source):
            await tx.execute(delete(table))
    uploads.replies.clear()
    reply = await uploads.client.post("/videos", json={"title": "A video"})
    uploads.video_id = str(reply.json()["videoId"])


@drawn
@given(drawn_case=interleavings())
async def test_any_interleaving_gives_the_same_bytes(
    uploads: Uploads, drawn_case: tuple[File, list[list[tuple[bytes, str]]]]
) -> None:
    file, groups = drawn_case
    await start_anew(uploads)
    for requests in groups:
        async with anyio.create_task_group() as group:
            for part, header in requests:
                group.start_soon(uploads.send, part, header)
    for reply in uploads.replies:
        assert reply.status_code in {201, 400}, reply.text
        if reply.status_code == 400:
            slug = reply.json()["type"].rpartition("/")[2]
            assert slug.endswith(("already-sent", "overlap", "already-uploaded")), slug
    stored, sent = await uploads.content(), file.content
    assert hashlib.sha256(stored).digest() == hashlib.sha256(sent).digest()
    assert await uploads.assets() == 1
    assert await uploads.claims() == 0


HEADERS = st.one_of(
    st.none(),
    st.sampled_from(["part 1", "bytes 3/9", "part 10001/*", "part 1/10001", "bytes 0-9/0"]),
    st.builds(
        lambda part, total: f"part {part}/{total}",
        st.integers(0, 6),
        st.one_of(st.just("*"), st.integers(0, 6)),
    ),
    st.builds(
        lambda first, length, total: f"bytes {first}-{first + length - 1}/{total}",
        st.integers(1, 24),
        st.integers(0, 9),
        st.one_of(st.just("*"), st.integers(0, 30)),
    ),
)


@st.composite
def muddles(draw: st.DrawFn) -> list[tuple[str | None, bytes]]:
    """Draw the parts of a file in any order, and between them what may not fit."""
    _, groups = draw(interleavings())
    steps: list[tuple[str | None, bytes]] = [
        (header, part) for group in groups for part, header in group
    ]
    for stray in draw(st.lists(st.tuples(HEADERS, st.binary(max_size=9)), max_size=6)):
        steps.insert(draw(st.integers(0, len(steps))), stray)
    return steps


@drawn
@given(steps=muddles())
async def test_what_does_not_fit_gets_the_documented_error(
    uploads: Uploads, steps: list[tuple[str | None, bytes]]
) -> None:
    await start_anew(uploads)
    rules = Rules(MIN_BYTES)
    for header, body in steps:
        expected = rules.answer(header, body)
        reply = await uploads.send(body, header)
        assert reply.status_code == (201 if expected is None else 400), reply.text
        told = None if expected is None else reply.json()["type"].rpartition("/")[2]
        assert told == expected, f"{header} with {len(body)} bytes after {rules.taken}"
    if rules.is_complete:
        assert await uploads.content() == rules.content
    assert await uploads.claims() == 0
