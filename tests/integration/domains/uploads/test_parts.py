"""Uploads in several requests: `part n/total`."""

from datetime import datetime

import anyio
import httpx
import pytest

from telecine import clock
from telecine.domains.sources.models import Part
from telecine.domains.uploads import content_range
from tests.integration.domains.uploads.sending import Uploads

pytestmark = pytest.mark.anyio

SLUG = "video-content-range"


@pytest.mark.disk
async def test_parts_become_one_file_in_one_object(uploads: Uploads) -> None:
    await uploads.accept(b"aaaa", "part 1/*")
    assert await uploads.ingest() == {
        "status": "uploading",
        "filesize": None,
        "receivedBytes": [],
        "receivedParts": {"parts": [1], "total": None},
    }
    await uploads.accept(b"bbbb", "part 2/*")
    assert await uploads.assets() == 0
    await uploads.accept(b"c", "part 3/3")
    assert await uploads.ingest() == {
        "status": "uploaded",
        "filesize": 9,
        "receivedBytes": [],
        "receivedParts": {"parts": [1, 2, 3], "total": 3},
    }
    assert await uploads.content() == b"aaaabbbbc"
    assert await uploads.assets() == 1
    source = await uploads.source()
    assert source.extents == [{"key": source.key, "offset": 0, "size": 9}]
    assert await uploads.objects() == [source.key]


async def test_a_part_changes_nothing_of_its_video_and_the_last_one_does(uploads: Uploads) -> None:
    path = f"/videos/{uploads.video_id}"
    await uploads.accept(b"aaaa", "part 1/3")  # from here on something of it may be played
    begun = (await uploads.client.get(path)).json()
    reply = await uploads.send(b"bbbb", "part 2/3")
    assert reply.status_code == 201
    assert reply.json() == begun, "the whole video is the answer to every part"
    assert (await uploads.client.get(path)).json() == begun
    before = clock.now().replace(microsecond=0)
    await uploads.accept(b"c", "part 3/3")
    changed = datetime.fromisoformat((await uploads.client.get(path)).json()["updatedAt"])
    assert changed >= before


@pytest.mark.parametrize(("version", "is_short"), [("1.3.0", True), ("1.3.2", False)])
@pytest.mark.parametrize(
    ("begin", "end"), [("part 2/*", "part 1/2"), ("bytes 4-7/*", "bytes 0-3/8")]
)
async def test_old_python_clients_read_an_id_while_the_total_is_unknown(
    uploads: Uploads, begin: str, end: str, version: str, *, is_short: bool
) -> None:
    uploads.client.headers["AV-Origin-Client"] = f"python:{version}"
    path = f"/videos/{uploads.video_id}"
    begun = (await uploads.send(b"bbbb", begin)).json()
    video = (await uploads.client.get(path)).json()
    assert begun == ({"videoId": uploads.video_id} if is_short else video)
    ended = (await uploads.send(b"aaaa", end)).json()
    assert ended == (await uploads.client.get(path)).json()
    assert ended["title"] == "A video"


async def test_any_order_gives_the_same_file(uploads: Uploads) -> None:
    await uploads.accept(b"cccc", "part 3/*")
    await uploads.accept(b"bbbb", "part 2/*")
    await uploads.accept(b"dd", "part 4/4")
    await uploads.accept(b"aaaa", "part 1/4")
    assert await uploads.content() == b"aaaabbbbccccdd"


@pytest.mark.parametrize("sizes", [(5, 4, 6, 2), (4, 6, 4, 9), (6, 4, 4, 4)])
async def test_parts_need_not_have_one_size(uploads: Uploads, sizes: tuple[int, ...]) -> None:
    parts = [bytes([97 + n]) * size for n, size in enumerate(sizes)]
    for number, part in enumerate(parts, 1):
        await uploads.accept(part, f"part {number}/{len(parts)}")
    assert await uploads.content() == b"".join(parts)


async def test_one_part_is_a_whole_file(uploads: Uploads) -> None:
    await uploads.accept(b"x", "part 1/1")
    assert await uploads.content() == b"x"


async def test_many_clients_complete_a_source_once(uploads: Uploads) -> None:
    parts = [bytes([n]) * 50_000 for n in range(20)]

    async def upload(number: int) -> None:
        await uploads.accept(parts[number - 1], f"part {number}/20")

    async with anyio.create_task_group() as group:
        for number in range(20, 0, -1):
            group.start_soon(upload, number)
    assert await uploads.assets() == 1
    assert await uploads.content() == b"".join(parts)


async def test_twenty_clients_with_the_same_file_store_it_once(uploads: Uploads) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(uploads.send, b"the same " * 1000, "part 1/1")
    assert await uploads.assets() == 1
    statuses = {reply.status_code for reply in uploads.replies}
    assert 201 in statuses
    assert statuses <= {201, 400}
    assert await uploads.content() == b"the same " * 1000
    assert await uploads.claims() == 0
    source = await uploads.source()
    recorded = {extent["key"] for extent in source.extents}
    # Somebody else may have begun to write in place; the sweep takes that away.
    assert recorded <= set(await uploads.objects()) <= recorded | {source.key}


async def test_a_part_whose_answer_was_lost_may_come_again(uploads: Uploads) -> None:
    await uploads.accept(b"aaaa", "part 1/2")
    await uploads.forget_answers()
    await uploads.accept(b"aaaa", "part 1/2")
    assert await uploads.refuse(f"{SLUG}-by-part-part-already-sent", b"aaaa", "part 1/2") == "1"
    await uploads.accept(b"bb", "part 2/2")
    await uploads.forget_answers()
    await uploads.accept(b"bb", "part 2/2")
    await uploads.refuse("video-source-already-uploaded", b"bb", "part 2/2")
    assert await uploads.content() == b"aaaabb"
    assert await uploads.assets() == 1


async def test_a_whole_file_whose_answer_was_lost_may_come_again(uploads: Uploads) -> None:
    await uploads.accept(b"media")
    await uploads.forget_answers()
    await uploads.refuse("video-source-already-uploaded", b"other")
    await uploads.accept(b"media")
    await uploads.refuse("video-source-already-uploaded", b"media")
    assert await uploads.assets() == 1


async def test_other_bytes_never_replace_a_stored_part(uploads: Uploads) -> None:
    await uploads.accept(b"aaaa", "part 1/2")
    await uploads.forget_answers()
    for other in (b"bbbb", b"aaaaa"):
        await uploads.refuse(f"{SLUG}-by-part-part-already-sent", other, "part 1/2")


async def test_a_refused_first_part_leaves_an_empty_container(uploads: Uploads) -> None:
    await uploads.refuse("uploaded-file-too-small", b"aaa", "part 1/*")
    assert await uploads.ingest() is None
    assert await uploads.objects() == []
    await uploads.accept(b"media")


@pytest.mark.parametrize(
    ("slug", "data", "value"),
    [
        ("uploaded-file-too-small", b"bbb", "part 3/*"),
        ("uploaded-file-too-small", b"bbb", "part 3/4"),
        ("uploaded-file-empty", b"", "part 3/3"),
        (f"{SLUG}-already-initiated", b"media", None),
        (f"{SLUG}-started-with-part", b"media", "bytes 0-4/5"),
        (f"{SLUG}-by-part-total-parts-too-low", b"aaaa", "part 1/1"),
        (f"{SLUG}-by-part-part-already-sent", b"bbbb", "part 2/*"),
        (f"{SLUG}-malformed", b"bbbb", "part 3"),
        (f"{SLUG}-by-part-part-zero", b"bbbb", "part 0/1"),
        (f"{SLUG}-by-part-total-parts-zero", b"bbbb", "part 1/0"),
        (f"{SLUG}-by-part-part-too-high-allowed", b"bbbb", "part 10001/*"),
        (f"{SLUG}-by-part-total-parts-too-high", b"bbbb", "part 3/10001"),
        (f"{SLUG}-by-part-part-too-high-total", b"bbbb", "part 4/3"),
    ],
)
async def test_what_does_not_fit_changes_nothing(
    uploads: Uploads, slug: str, data: bytes, value: str | None
) -> None:
    await uploads.accept(b"bbbb", "part 2/*")
    await uploads.refuse(slug, data, value)
    assert await uploads.claims() == 0
    await uploads.accept(b"aaaa", "part 1/*")
    await uploads.accept(b"c", "part 3/3")
    assert await uploads.content() == b"aaaabbbbc"


async def test_ten_thousand_parts_become_one_file_and_one_more_is_refused(
    uploads: Uploads,
) -> None:
    """Nearly all of them are put there, as if they had come: the rest is sent."""
    await uploads.accept(b"aaaa", "part 1/*")
    source, most = await uploads.source(), content_range.MAX_PARTS
    middle = b"".join(b"%04d" % number for number in range(2, most))
    key = f"{source.prefix}source/middle"
    await uploads.services.store.put(key, middle)
    async with uploads.db.transaction() as tx:
        tx.add_all(
            Part(
                project_id=source.project_id,
                source_id=source.id,
                number=number,
                own_key=key,
                extents=[{"key": key, "offset": offset, "size": 4}],
                size_bytes=4,
                stored_at=clock.now(),
            )
            for offset, number in zip(range(0, len(middle), 4), range(2, most), strict=True)
        )
    slug = f"{SLUG}-by-part-part-too-high-allowed"
    assert await uploads.refuse(slug, b"bbbb", f"part {most + 1}/*") == str(most)
    slug = f"{SLUG}-by-part-total-parts-too-high"
    assert await uploads.refuse(slug, b"bbbb", f"part {most}/{most + 1}") == str(most)
    await uploads.accept(b"z", f"part {most}/{most}")
    assert await uploads.content() == b"aaaa" + middle + b"z"
    slug = "video-source-already-uploaded"
    await uploads.refuse(slug, b"bbbb", f"part {most + 1}/{most + 1}")


async def test_a_total_is_kept(uploads: Uploads) -> None:
    await uploads.accept(b"aaaa", "part 1/3")
    await uploads.accept(b"bbbb", "part 2/*")
    slug = f"{SLUG}-by-part-different-total-parts"
    assert await uploads.refuse(slug, b"c", "part 3/4") == "3"
    slug = f"{SLUG}-by-part-part-too-high-total"
    assert await uploads.refuse(slug, b"cccc", "part 4/*") == "3"
    await uploads.accept(b"c", "part 3/*")
    assert await uploads.content() == b"aaaabbbbc"


async def test_no_source_is_larger_than_allowed(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_range, "MAX_SOURCE_BYTES", 10)
    await uploads.accept(b"aaaa", "part 1/*")
    await uploads.refuse("uploaded-file-too-large", b"b" * 7, "part 2/*")
    await uploads.accept(b"b" * 6, "part 2/2")


async def test_a_video_deleted_between_two_parts_takes_no_more(uploads: Uploads) -> None:
    await uploads.accept(b"aaaa", "part 1/2")
    await uploads.client.delete(f"/videos/{uploads.video_id}")
    reply: httpx.Response = await uploads.send(b"bb", "part 2/2")
    assert reply.status_code == 404
    assert reply.json()["name"] == "videoId"
