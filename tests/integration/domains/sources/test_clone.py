"""Videos made of other videos: the file is copied, nothing else."""

import uuid

import httpx
import pytest

from telecine.domains.sources import fetching
from telecine.storage.open import open_store
from tests.fixtures.origin import File, serving
from tests.integration.domains.sources.ingesting import Ingests, media

pytestmark = pytest.mark.anyio

DATA = media(3500)


async def upload(ingests: Ingests, data: bytes = DATA, **members: object) -> str:
    created = await ingests.client.post("/videos", json={"title": "The original", **members})
    video_id = str(created.json()["videoId"])
    await send(ingests, video_id, data)
    return video_id


async def send(ingests: Ingests, video_id: str, data: bytes = DATA) -> None:
    reply = await ingests.client.post(
        f"/videos/{video_id}/source", files={"file": ("film.mp4", data)}
    )
    assert reply.status_code == 201, reply.text


async def options(ingests: Ingests, video_id: str) -> dict[str, object]:
    (asset,) = await ingests.assets(video_id)
    return asset.options


async def test_a_video_is_copied(ingests: Ingests) -> None:
    original = await upload(ingests, tags=["a"], description="theirs", public=False)
    copied = await ingests.create(original, title="The copy")
    assert copied != original
    assert await ingests.ingest(copied) == {
        "status": "ingesting", "filesize": None, "receivedBytes": [],
    }  # fmt: skip
    assert await ingests.work() == 1
    assert await ingests.content(copied) == DATA
    assert (await ingests.ingest(copied))["status"] == "ingested"
    assert (await ingests.ingest(copied))["filesize"] == len(DATA)
    assert len(await ingests.assets(copied)) == 1
    video = (await ingests.client.get(f"/videos/{copied}")).json()
    assert (video["title"], video["tags"], video["description"]) == ("The copy", [], "")
    assert video["public"]
    step = await ingests.step(copied)
    assert (step["name"], step["state"], step["detail"]["video"]) == ("copy", "done", original)


async def test_the_copy_outlives_its_original(ingests: Ingests) -> None:
    original = await upload(ingests)
    prefix = (await ingests.source(original)).prefix
    copied = await ingests.create(original)
    await ingests.work()
    assert (await ingests.client.delete(f"/videos/{original}")).status_code == 204
    await ingests.store.delete_prefix(prefix)
    assert await ingests.content(copied) == DATA


@pytest.mark.s3
async def test_objects_of_a_bucket_are_copied(
    ingests: Ingests, s3_environment: dict[str, str], bucket_url: str
) -> None:
    object.__setattr__(ingests.bench, "store", open_store(bucket_url, s3_environment))
    async with serving(File(DATA)) as origin:
        original = await ingests.create(origin.url())
        await ingests.work()
    copied = await ingests.create(original)
    await ingests.work()
    assert len(await ingests.objects(copied)) == 4
    assert await ingests.content(copied) == DATA


async def joined(ingests: Ingests) -> str:
    """Upload a file that lies in two objects, of 1500 and of 2000 bytes."""
    tus, paths = {"Tus-Resumable": "1.0.0"}, []
    chunk = {"Content-Type": "application/offset+octet-stream"}
    for data in (DATA[:1500], DATA[1500:]):
        begun = {**tus, **chunk, "Upload-Length": str(len(data)), "Upload-Concat": "partial"}
        reply = await ingests.client.post("/tus/", content=data, headers=begun)
        paths.append(reply.headers["location"])
    final = {**tus, "Upload-Concat": "final;" + " ".join(paths)}
    reply = await ingests.client.post("/tus/", headers=final)
    assert reply.status_code == 201, reply.text
    return str(reply.headers["location"].rsplit("/", 1)[1])


async def test_the_status_tells_how_far_a_copy_is(
    ingests: Ingests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each object: in a bucket that takes a while."""
    copied = await ingests.create(await joined(ingests))
    copy, told = ingests.store.copy, []

    async def watched(key: str, target: str) -> None:
        told.append(await ingests.ingest(copied))
        await copy(key, target)

    monkeypatch.setattr(ingests.store, "copy", watched)
    await ingests.work()
    first = {"from": 0, "to": 1499, "total": 3500}
    assert told == [
        {"status": "ingesting", "filesize": 3500, "receivedBytes": received}
        for received in ([], [first])
    ]
    assert await ingests.content(copied) == DATA
    whole = {"from": 0, "to": 3499, "total": 3500}
    assert await ingests.ingest(copied) == {
        "status": "ingested", "filesize": 3500, "receivedBytes": [whole],
    }  # fmt: skip


async def test_a_copy_that_breaks_off_is_continued(
    ingests: Ingests, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = await ingests.create(await joined(ingests))
    job = await ingests.job()
    copy, calls = ingests.store.copy, 0

    async def failing(key: str, target: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionError
        await copy(key, target)

    monkeypatch.setattr(ingests.store, "copy", failing)
    with pytest.raises(ConnectionError):
        await ingests.run(job)
    assert calls == 2
    await ingests.run(job)
    assert calls == 3
    assert await ingests.content(copied) == DATA
    assert len(await ingests.objects(copied)) == 2


async def test_a_copy_waits_for_its_original(ingests: Ingests) -> None:
    created = await ingests.client.post("/videos", json={"title": "empty"})
    original = str(created.json()["videoId"])
    copied = await ingests.create(original)
    again = await ingests.create(copied)
    assert await ingests.waiting() == []
    assert (await ingests.step(copied))["state"] == "waiting"
    await send(ingests, original)
    assert await ingests.work() == 2
    assert await ingests.content(copied) == DATA
    assert await ingests.content(again) == DATA


async def test_a_copy_of_a_download_waits_for_it(ingests: Ingests) -> None:
    async with serving(File(DATA, cut_after=1500)) as origin:
        original = await ingests.create(origin.url())
        copied = await ingests.create(original)
        await ingests.work()
    assert await ingests.content(copied) == DATA


async def test_a_job_that_comes_too_early_waits(ingests: Ingests) -> None:
    created = await ingests.client.post("/videos", json={"title": "empty"})
    original = str(created.json()["videoId"])
    copied = await ingests.create(original)
    project_id = (await ingests.source(copied)).project_id
    async with ingests.db.transaction() as tx:
        await fetching.release_copies(tx, project_id, original)
    await ingests.run(await ingests.job())
    step = await ingests.step(copied)
    assert (step["state"], step["detail"]["reason"]) == ("waiting", f"waits for {original}")
    await send(ingests, original)
    await ingests.work()
    assert await ingests.content(copied) == DATA


async def test_a_copy_that_runs_twice_changes_nothing(ingests: Ingests) -> None:
    copied = await ingests.create(await upload(ingests))
    job = await ingests.job()
    for _ in range(2):
        await ingests.run(job)
    assert len(await ingests.assets(copied)) == 1
    assert len(await ingests.objects(copied)) == 1


async def test_the_end_of_the_original_is_the_end_of_a_waiting_copy(ingests: Ingests) -> None:
    created = await ingests.client.post("/videos", json={"title": "empty"})
    original = str(created.json()["videoId"])
    copied = await ingests.create(original)
    await ingests.client.delete(f"/videos/{original}")
    await ingests.work()
    view = await ingests.view(copied)
    assert view["failure"] == f"{original} was deleted before it could be copied"
    assert (await ingests.ingest(copied))["status"] == "ingesting"


async def test_a_download_that_fails_takes_its_copies_along(ingests: Ingests) -> None:
    original = await ingests.create("http://127.0.0.1:22/a.mp4")
    copied = await ingests.create(original)
    await ingests.give_up(await ingests.job(), "nobody there")
    await ingests.work()
    assert (await ingests.view(copied))["failure"] == f"{original} has no file: nobody there"


async def test_objects_that_vanish_end_a_copy(ingests: Ingests) -> None:
    original = await upload(ingests)
    copied = await ingests.create(original)
    await ingests.store.delete_prefix((await ingests.source(original)).prefix)
    await ingests.work()
    assert "deleted while it was copied" in (await ingests.view(copied))["failure"]


async def test_a_copy_counts_for_the_quota(ingests: Ingests) -> None:
    original = await upload(ingests)
    await ingests.set_quota(2 * len(DATA) - 1)
    copied = await ingests.create(original)
    await ingests.work()
    assert "storage quota" in (await ingests.view(copied))["failure"]
    assert await ingests.objects(copied) == []


async def test_a_copy_takes_no_upload(ingests: Ingests) -> None:
    copied = await ingests.create(await upload(ingests))
    for _ in range(2):
        reply = await ingests.client.post(
            f"/videos/{copied}/source", files={"file": ("a.mp4", b"x")}
        )
        assert reply.status_code == 400
        assert reply.json()["type"].endswith("/video-source-already-copied")
        await ingests.work()


@pytest.mark.parametrize("video_id", ["vi0000000000000000000000", "vi1"])
async def test_unknown_videos_are_refused(ingests: Ingests, video_id: str) -> None:
    reply = await ingests.client.post("/videos", json={"title": "x", "source": video_id})
    assert reply.status_code == 400
    problem = reply.json()
    assert problem["type"].endswith("/invalid-attribute")
    assert problem["name"] == "source"
    assert problem["detail"] == "This value must refer to an existing video."
    listed = (await ingests.client.get("/videos")).json()
    assert listed["pagination"]["itemsTotal"] == 0


async def test_anothers_video_and_a_deleted_one_are_unknown(
    ingests: Ingests, stranger: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    original = await upload(ingests)
    for other in (stranger, sandbox):
        reply = await other.post("/videos", json={"title": "x", "source": original})
        assert (reply.status_code, reply.json()["name"]) == (400, "source")
    await ingests.client.delete(f"/videos/{original}")
    reply = await ingests.client.post("/videos", json={"title": "x", "source": original})
    assert (reply.status_code, reply.json()["name"]) == (400, "source")


async def test_clips_are_kept_for_the_pipeline(ingests: Ingests) -> None:
    clip = {"startTimecode": "00:00:01.5", "endTimecode": "10"}
    original = await upload(ingests, clip=clip)
    found = await options(ingests, original)
    assert (found["clip_start_ms"], found["clip_end_ms"]) == (1500, 10_000)
    whole = await upload(ingests)
    found = await options(ingests, whole)
    assert (found["clip_start_ms"], found["clip_end_ms"]) == (None, None)


async def test_a_clip_of_a_clip_is_within_it(ingests: Ingests) -> None:
    original = await upload(ingests, clip={"startTimecode": "10", "endTimecode": "20"})
    copied = await ingests.create(original, clip={"startTimecode": "2", "endTimecode": "60"})
    await ingests.work()
    found = await options(ingests, copied)
    assert (found["clip_start_ms"], found["clip_end_ms"]) == (12_000, 20_000)
    plain = await ingests.create(original)
    await ingests.work()
    found = await options(ingests, plain)
    assert (found["clip_start_ms"], found["clip_end_ms"]) == (10_000, 20_000)
    beyond = {"title": "x", "source": original, "clip": {"startTimecode": "10"}}
    reply = await ingests.client.post("/videos", json=beyond)
    assert (reply.status_code, reply.json()["name"]) == (400, "clip[startTimecode]")


async def test_a_clip_of_a_download_is_kept(ingests: Ingests) -> None:
    async with serving(File(DATA)) as origin:
        video_id = await ingests.create(origin.url(), clip={"endTimecode": "00:01:00:12"})
        await ingests.work()
    found = await options(ingests, video_id)
    assert (found["clip_start_ms"], found["clip_end_ms"]) == (None, 60_480)


async def test_a_repeated_request_copies_once(ingests: Ingests) -> None:
    body = {"title": "x", "source": await upload(ingests)}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = [await ingests.client.post("/videos", json=body, headers=key) for _ in range(2)]
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["videoId"] == second.json()["videoId"]
    assert len(await ingests.waiting()) == 1
