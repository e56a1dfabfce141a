"""One upload by several protocols: its bytes are the same, whoever brings them."""

import pytest

from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Part
from tests.integration.domains.uploads.resuming import TUS, Draft, Resumer
from tests.integration.domains.uploads.sending import Uploads

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(200))


@pytest.fixture
def path(uploads: Uploads) -> str:
    return f"/tus/{uploads.video_id}"


@pytest.mark.disk
async def test_byte_ranges_go_on_by_tus(resumer: Resumer, uploads: Uploads, path: str) -> None:
    assert await resumer.offset(path) == 0
    await uploads.accept(CONTENT[:50], "bytes 0-49/200")
    await uploads.accept(CONTENT[50:80], "bytes 50-79/*")
    told = await resumer.head(path)
    assert told.headers["upload-offset"] == "80"
    assert told.headers["upload-length"] == "200"
    assert await resumer.append(path, 80, CONTENT[80:]) == 200
    assert await uploads.content() == CONTENT
    assert await uploads.assets() == 1
    assert len(await uploads.objects()) == 1


@pytest.mark.disk
async def test_tus_goes_on_by_byte_ranges(resumer: Resumer, uploads: Uploads, path: str) -> None:
    await resumer.append(path, 0, CONTENT[:50])
    await uploads.refuse("video-content-range-by-bytes-range-overlap", b"xxxx", "bytes 48-51/200")
    await uploads.refuse("video-content-range-started-with-bytes", b"xxxx", "part 1/*")
    await uploads.refuse("video-content-range-already-initiated", CONTENT)
    await uploads.accept(CONTENT[50:120], "bytes 50-119/200")
    assert await resumer.offset(path) == 120
    await resumer.append_and_cut(path, 120, [CONTENT[120:150]], 80)
    await uploads.accept(CONTENT[150:], "bytes 150-199/200")
    assert await uploads.content() == CONTENT
    assert await resumer.offset(path) == 200
    assert len(await uploads.objects()) == 1


async def test_bytes_that_are_held_already_are_passed_over(
    resumer: Resumer, uploads: Uploads, path: str
) -> None:
    await uploads.accept(CONTENT[40:60], "bytes 40-59/200")
    await uploads.accept(CONTENT[60:70], "bytes 60-69/200")
    await uploads.accept(CONTENT[100:110], "bytes 100-109/200")
    assert await resumer.offset(path) == 0
    assert await resumer.append(path, 0, CONTENT[:50]) == 70, "the offset is what is held"
    wrong = bytearray(CONTENT)
    wrong[100:110] = b"x" * 10
    assert await resumer.append(path, 70, bytes(wrong[70:])) == 200
    assert await uploads.content() == CONTENT
    assert await uploads.assets() == 1


async def test_a_cut_among_held_bytes(resumer: Resumer, uploads: Uploads, path: str) -> None:
    await uploads.accept(CONTENT[40:60], "bytes 40-59/200")
    await resumer.append_and_cut(path, 0, [CONTENT[:45]], 200)
    assert await resumer.offset(path) == 60
    await resumer.append_and_cut(path, 60, [CONTENT[60:75]])
    assert await resumer.append(path, 75, CONTENT[75:], Upload_Length="200") == 200
    assert await uploads.content() == CONTENT


async def test_parts_without_a_gap_become_bytes(
    resumer: Resumer, uploads: Uploads, path: str
) -> None:
    for number, start in ((1, 0), (2, 4), (4, 12), (3, 8), (5, 16)):
        await uploads.accept(CONTENT[start : start + 4], f"part {number}/*")
    told = await resumer.head(path)
    assert told.headers["upload-offset"] == "20"
    assert told.headers["upload-defer-length"] == "1"
    refused = await resumer.patch(path, 19, b"x")
    assert refused.status_code == 409
    await uploads.accept(CONTENT[20:24], "part 6/*")  # nothing has changed so far
    assert await resumer.append(path, 24, CONTENT[24:100], Upload_Length="200") == 100
    await uploads.refuse("video-content-range-started-with-bytes", b"xxxx", "part 7/*")
    ingest = await uploads.ingest()
    assert ingest is not None
    assert "receivedParts" not in ingest or ingest["receivedParts"] is None
    await uploads.accept(CONTENT[100:], "bytes 100-199/200")
    assert await uploads.content() == CONTENT
    assert await uploads.assets() == 1


async def test_parts_may_be_declared_complete(
    resumer: Resumer, uploads: Uploads, path: str
) -> None:
    await uploads.accept(CONTENT[:100], "part 1/*")
    await uploads.accept(CONTENT[100:], "part 2/*")
    assert await resumer.append(path, 200, b"", Upload_Length="200") == 200
    assert await uploads.content() == CONTENT


async def test_parts_with_a_gap_are_for_parts(
    resumer: Resumer, uploads: Uploads, path: str
) -> None:
    await uploads.accept(CONTENT[:4], "part 1/*")
    await uploads.accept(CONTENT[8:12], "part 3/*")
    for reply in (
        await resumer.patch(path, 4, b"x"),
        await resumer.client.head(path, headers=TUS),
    ):
        assert reply.status_code == 409
    await uploads.accept(CONTENT[4:8], "part 2/3")
    assert await uploads.content() == CONTENT[:12]
    assert await resumer.offset(path) == 12


async def test_what_is_complete_is_complete(resumer: Resumer, uploads: Uploads, path: str) -> None:
    await uploads.accept(CONTENT)
    told = await resumer.head(path)
    assert told.headers["upload-offset"] == told.headers["upload-length"] == "200"
    assert (await resumer.patch(path, 200, b"x")).status_code == 413
    assert await resumer.count(Asset) == 1
    assert (await resumer.client.delete(path, headers=TUS)).status_code == 204
    assert (await resumer.client.get(f"/videos/{uploads.video_id}")).status_code == 404


async def test_a_begun_upload_may_be_given_up_by_tus(
    resumer: Resumer, uploads: Uploads, path: str
) -> None:
    await uploads.accept(CONTENT[:50], "bytes 0-49/200")
    assert (await resumer.client.delete(path, headers=TUS)).status_code == 204
    assert await uploads.ingest() is None
    assert await uploads.objects() == []
    assert await resumer.count(Part) == 0
    await uploads.accept(CONTENT)
    assert await uploads.content() == CONTENT


@pytest.mark.parametrize("interop", [3, 5, 8, None])
async def test_tus_and_a_draft_of_its_successor_take_turns(
    resumer: Resumer, interop: int | None
) -> None:
    draft = Draft(resumer, interop)
    path = await resumer.create(200)
    reply = await draft.append(path, 0, CONTENT[:50], complete=False)
    assert reply.headers["upload-offset"] == "50"
    assert not draft.is_complete(reply)
    assert await resumer.append(path, 50, CONTENT[50:90]) == 90
    await resumer.append_and_cut(path, 90, [CONTENT[90:120]], 80)
    assert (await draft.send("HEAD", path)).headers["upload-offset"] == "120"
    reply = await draft.append(path, 120, CONTENT[120:], complete=True)
    assert reply.status_code == 201
    assert draft.is_complete(reply)
    assert await resumer.offset(path) == 200
    assert await resumer.content(path) == CONTENT

    reply = await draft.send("POST", "/tus/", CONTENT[:50], draft.complete(False))
    path = reply.headers["location"]
    told = await resumer.head(path)
    assert told.headers["upload-offset"] == "50"
    assert told.headers["upload-defer-length"] == "1"
    assert await resumer.append(path, 50, CONTENT[50:], Upload_Length="200") == 200
    assert draft.is_complete(await draft.send("HEAD", path))
    assert await resumer.content(path) == CONTENT
    assert await resumer.count(Asset) == 2
