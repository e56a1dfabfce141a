"""Chunks on a token whose client does not say which video they belong to."""

from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from sqlalchemy import select

from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Part, Source
from telecine.domains.videos.models import Video
from telecine.http.app import Api
from tests.integration.domains.uploads.visiting import BOUNDARY, Visitor, body_of, file_part

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("totals", ["333", "**3", "3**", "*3*"])
async def test_parts_of_one_file_become_one_video(any_visitor: Visitor, totals: str) -> None:
    parts = (b"a" * 99, b"b" * 99, b"c" * 9)
    ids = set()
    for number, (data, total) in enumerate(zip(parts, totals, strict=True), 1):
        if total == "*" and number == 3:
            data += b"c" * 90  # noqa: PLW2901 - nobody knows that it is the last
        ids.add(await any_visitor.accept(data, f"part {number}/{total}"))
    assert len(ids) == 1
    video_id = ids.pop()
    content = await any_visitor.content(video_id)
    assert content[:198] == parts[0] + parts[1]
    assert set(content[198:]) == {ord("c")}
    assert await any_visitor.count(Asset) == await any_visitor.count(Video) == 1


@pytest.mark.disk
async def test_they_lie_in_one_object(visitor: Visitor) -> None:
    for number in (1, 2, 3):
        video_id = await visitor.accept(bytes([96 + number]) * 99, f"part {number}/3")
    source = await visitor.source(video_id)
    assert source.extents == [{"key": source.key, "offset": 0, "size": 297}]
    assert await visitor.objects() == [source.key]


@pytest.mark.parametrize("order", [(3, 2, 1), (2, 3, 1), (3, 1, 2)])
async def test_any_order(any_visitor: Visitor, order: tuple[int, ...]) -> None:
    ids = {
        await any_visitor.accept(bytes([96 + number]) * 99, f"part {number}/3") for number in order
    }
    assert len(ids) == 1
    assert await any_visitor.content(ids.pop()) == b"a" * 99 + b"b" * 99 + b"c" * 99


async def test_ranges_of_bytes_too(any_visitor: Visitor) -> None:
    first = await any_visitor.accept(b"a" * 99, "bytes 0-98/207")
    other = await any_visitor.accept(b"x" * 99, "bytes 0-98/300")
    assert await any_visitor.accept(b"c" * 9, "bytes 198-206/207") == first
    assert await any_visitor.accept(b"b" * 99, "bytes 99-197/207") == first
    assert await any_visitor.content(first) == b"a" * 99 + b"b" * 99 + b"c" * 9
    assert other != first


async def test_the_next_file_of_that_name_is_the_next_video(visitor: Visitor) -> None:
    made = []
    for letter in (b"x", b"y", b"z"):
        ids = {await visitor.accept(letter * size, f"part {n}/2") for n, size in ((1, 99), (2, 5))}
        assert len(ids) == 1
        made.append(ids.pop())
        assert await visitor.content(made[-1]) == letter * 104
    assert len(set(made)) == 3


async def test_a_file_that_was_broken_off_is_left_behind(visitor: Visitor) -> None:
    broken = await visitor.accept(b"x" * 99, "part 1/3")
    assert await visitor.accept(b"x" * 99, "part 2/3") == broken
    await visitor.forget_answers()
    ids = {await visitor.accept(b"y" * 99, f"part {number}/3") for number in (1, 2, 3)}
    assert len(ids) == 1
    assert broken not in ids
    assert await visitor.content(ids.pop()) == b"y" * 297


@pytest.mark.parametrize("what", ["name", "agent", "origin", "address", "token", "total"])
async def test_what_sets_files_apart(
    visitor: Visitor, client: httpx.AsyncClient, app: Api, what: str
) -> None:
    first = await visitor.accept(b"a" * 99, "part 1/2")
    more: dict[str, str] = {}
    content_range = "part 2/2"
    if what == "name":
        more["name"] = "other.mp4"
    elif what == "agent":
        visitor.agent = "another browser"
    elif what == "origin":
        visitor.http.headers["AV-Origin-Client"] = "nodejs:2.6.8"
    elif what == "address":
        elsewhere = httpx.ASGITransport(app, client=("192.0.2.7", 1))
        visitor.http = httpx.AsyncClient(transport=elsewhere, base_url="http://api.test")
    elif what == "token":
        visitor.token = (await client.post("/upload-tokens")).json()["token"]
    else:
        content_range = "part 2/3"
    assert await visitor.accept(b"b" * 99, content_range, **more) != first


async def test_a_part_beyond_the_end_begins_no_video(visitor: Visitor) -> None:
    await visitor.accept(b"a" * 99, "part 1/2")
    slug = "video-content-range-by-part-part-too-high-total"
    await visitor.refuse(400, slug, b"b" * 99, "part 3/2")
    # Of an upload of two parts it cannot be.
    assert await visitor.accept(b"c" * 99, "part 3/*")
    assert await visitor.count(Video) == 2


async def test_a_whole_file_does_not_end_an_upload_of_its_name(visitor: Visitor) -> None:
    begun = await visitor.accept(b"b" * 99, "part 2/*")
    whole = await visitor.accept(b"w" * 9, "part 1/1")
    assert whole != begun
    assert await visitor.content(whole) == b"w" * 9


async def test_first_parts_of_two_files_at_once_are_two_videos(any_visitor: Visitor) -> None:
    async with anyio.create_task_group() as group:
        for letter in b"xyz":
            group.start_soon(any_visitor.accept, bytes([letter]) * 500, "part 1/2")
    ids = {reply.json()["videoId"] for reply in any_visitor.replies}
    assert len(ids) == 3
    for video_id in ids:
        assert await any_visitor.accept(b"2" * 5, "part 2/2", video_id=video_id) == video_id
    contents = {await any_visitor.content(video_id) for video_id in ids}
    assert contents == {bytes([letter]) * 500 + b"2" * 5 for letter in b"xyz"}


async def test_a_part_that_is_on_its_way_keeps_its_place(visitor: Visitor) -> None:
    """Another one of its number goes elsewhere, also if it is quicker."""
    first = await visitor.accept(b"a" * 99, "part 1/2")
    whole = body_of([file_part("clip.mp4", b"b" * 400)])
    quick: list[str] = []

    async def slow() -> AsyncIterator[bytes]:
        yield whole[:300]
        quick.append(await visitor.accept(b"q" * 99, "part 2/2"))
        yield whole[300:]

    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Range": "part 2/2",
        "User-Agent": visitor.agent,
    }
    url = f"/upload?token={visitor.token}"
    reply = await visitor.http.post(url, content=slow(), headers=headers)
    assert reply.json()["videoId"] == first
    assert quick[0] != first
    assert await visitor.content(first) == b"a" * 99 + b"b" * 400


@pytest.mark.parametrize("content_range", [None, "part 1/1", "bytes 0-98/99"])
async def test_a_file_whose_answer_was_lost_is_answered_again(
    any_visitor: Visitor, content_range: str | None
) -> None:
    first = await any_visitor.accept(b"m" * 99, content_range)
    await any_visitor.forget_answers()
    before = await any_visitor.state()
    assert await any_visitor.accept(b"m" * 99, content_range) == first
    assert await any_visitor.state() == before
    # Told twice, it is known: the same file once more is another video.
    assert await any_visitor.accept(b"m" * 99, content_range) != first


async def test_another_file_is_no_repetition(any_visitor: Visitor) -> None:
    for content_range in (None, "part 1/1", "part 1/2"):
        first = await any_visitor.accept(b"m" * 99, content_range)
        await any_visitor.forget_answers()
        for data in (b"m" * 98 + b"n", b"m" * 98, b"m" * 100):
            assert await any_visitor.accept(data, content_range) != first
        async with any_visitor.db.transaction() as tx:
            for video in await tx.scalars(select(Video)):
                await tx.delete(video)


async def test_a_part_whose_answer_was_lost_is_answered_again(any_visitor: Visitor) -> None:
    first = await any_visitor.accept(b"a" * 99, "part 1/3")
    await any_visitor.forget_answers()
    assert await any_visitor.accept(b"a" * 99, "part 1/3") == first
    assert await any_visitor.accept(b"b" * 99, "part 2/3") == first
    await any_visitor.forget_answers()
    assert await any_visitor.accept(b"b" * 99, "part 2/3") == first
    assert await any_visitor.accept(b"c" * 9, "part 3/3") == first
    await any_visitor.forget_answers()
    assert await any_visitor.accept(b"c" * 9, "part 3/3") == first
    assert await any_visitor.content(first) == b"a" * 99 + b"b" * 99 + b"c" * 9
    assert await any_visitor.count(Video) == await any_visitor.count(Asset) == 1
    assert await any_visitor.count(Part) == 3


@pytest.mark.parametrize("before", [True, False])
async def test_with_the_id_too(any_visitor: Visitor, before: bool) -> None:
    first = await any_visitor.accept(b"a" * 99, "part 1/2")
    for _ in range(2):
        await any_visitor.forget_answers()
        for number, data in ((1, b"a" * 99), (2, b"b" * 9)):
            again = await any_visitor.accept(
                data, f"part {number}/2", video_id=first, before=before
            )
            assert again == first
    slug = "video-source-already-uploaded"
    more = {"video_id": first, "before": before}
    await any_visitor.refuse(400, slug, b"b" * 9, "part 2/2", **more)
    assert await any_visitor.content(first) == b"a" * 99 + b"b" * 9
    assert await any_visitor.count(Source) == 1


async def test_a_deleted_video_takes_no_more(visitor: Visitor, client: httpx.AsyncClient) -> None:
    first = await visitor.accept(b"a" * 99, "part 1/2")
    assert (await client.delete(f"/videos/{first}")).status_code == 204
    assert await visitor.accept(b"b" * 99, "part 2/2") != first
