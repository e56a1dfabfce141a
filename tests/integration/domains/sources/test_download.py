"""Sources from a URL: every byte, in order, whatever happens on the way."""

import asyncio
from contextlib import suppress

import httpx
import pytest

from telecine.domains.sources.jobs import DownloadSource
from telecine.jobs.worker import PermanentFailure
from telecine.net.client import OutboundClient
from telecine.net.errors import OutboundError, TooSlow, Unreachable
from telecine.net.policy import OutboundPolicy
from telecine.storage.open import open_store
from telecine.storage.store import Store
from tests.fixtures.origin import Answer, Asked, File, serving
from tests.fixtures.waiting import until
from tests.integration.domains.sources.ingesting import Ingests, media

pytestmark = pytest.mark.anyio

DATA = media(4321)


async def test_a_video_is_made_of_a_url(ingests: Ingests) -> None:
    async with serving(File(DATA)) as origin:
        video_id = await ingests.create(origin.url("/films/My%20film.mp4?signature=x%2F"))
        assert await ingests.ingest(video_id) == {
            "status": "ingesting", "filesize": None, "receivedBytes": [],
        }  # fmt: skip
        assert await ingests.work() == 1
    assert await ingests.ingest(video_id) == {
        "status": "ingested",
        "filesize": 4321,
        "receivedBytes": [{"from": 0, "to": 4320, "total": 4321}],
    }
    assert await ingests.content(video_id) == DATA
    assert len(await ingests.assets(video_id)) == 1
    assert (await ingests.source(video_id)).file_name == "My film.mp4"
    (asked,) = origin.asked
    assert asked.target == "/films/My%20film.mp4?signature=x%2F"
    assert "range" not in asked.headers


async def test_pieces_go_to_their_final_place(ingests: Ingests) -> None:
    async with serving(File(DATA)) as origin:
        video_id = await ingests.create(origin.url())
        await ingests.work()
    source = await ingests.source(video_id)
    assert source.extents == [{"key": source.key, "offset": 0, "size": 4321}]
    assert await ingests.objects(video_id) == [source.key]


@pytest.mark.s3
async def test_in_a_bucket_each_piece_is_an_object(
    ingests: Ingests, s3_environment: dict[str, str], bucket_url: str
) -> None:
    store: Store = open_store(bucket_url, s3_environment)
    there = Ingests(ingests.client, ingests.operator, ingests.bench)
    object.__setattr__(there.bench, "store", store)
    async with serving(File(DATA)) as origin:
        video_id = await there.create(origin.url())
        await there.work()
    assert len((await there.source(video_id)).extents) == 5
    assert await there.content(video_id) == DATA


async def test_the_video_takes_no_upload(ingests: Ingests) -> None:
    async with serving(File(DATA)) as origin:
        video_id = await ingests.create(origin.url())
        for content_range in ({}, {"Content-Range": "bytes 0-999/4321"}):
            reply = await ingests.client.post(
                f"/videos/{video_id}/source",
                files={"file": ("a.mp4", DATA[:1000])},
                headers=content_range,
            )
            assert reply.status_code == 400
            assert reply.json()["type"].endswith("/video-source-already-downloaded")
            await ingests.work()
    assert await ingests.content(video_id) == DATA


async def test_progress_is_told_while_it_arrives(ingests: Ingests) -> None:
    hold = asyncio.Event()
    answer = Answer(200, DATA, cut_after=2500, hold=hold)
    async with serving(lambda _: answer) as origin:
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        async with asyncio.TaskGroup() as group:
            group.create_task(ingests.run(job))

            async def arrived() -> bool:
                return bool((await ingests.ingest(video_id))["receivedBytes"])

            await until(arrived, 20)
            found = await ingests.ingest(video_id)
            assert found["status"] == "ingesting"
            assert found["filesize"] == 4321
            (received,) = found["receivedBytes"]
            assert (received["from"], received["total"]) == (0, 4321)
            assert received["to"] in {999, 1999}
            hold.set()
    assert await ingests.content(video_id) == DATA


async def test_a_broken_connection_is_continued(ingests: Ingests) -> None:
    file = File(DATA, cut_after=1700)
    async with serving(file) as origin:
        video_id = await ingests.create(origin.url())
        assert await ingests.work() == 3
    assert await ingests.content(video_id) == DATA
    asked = [(each.headers.get("range"), each.headers.get("if-range")) for each in origin.asked]
    assert asked == [(None, None), ("bytes=1700-", '"1"'), ("bytes=3400-", '"1"')]
    assert (await ingests.step(video_id))["state"] == "done"


async def test_a_killed_worker_loses_a_piece_at_most(ingests: Ingests) -> None:
    hold = asyncio.Event()
    first = Answer(200, DATA, {"ETag": '"1"'}, cut_after=2500, hold=hold)
    async with serving(lambda _: first) as origin:
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        task = asyncio.ensure_future(ingests.run(job))

        async def arrived() -> bool:
            return (await ingests.source(video_id)).mode is not None

        await until(arrived, 20)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        origin.handler = File(DATA)
        hold.set()
        await ingests.run(job)
    assert origin.asked[-1].headers["range"] in {"bytes=1000-", "bytes=2000-"}
    assert await ingests.content(video_id) == DATA
    assert len(await ingests.objects(video_id)) <= 2


async def test_a_server_without_ranges_starts_again(ingests: Ingests) -> None:
    async with serving(File(DATA, ranges=False, cut_after=2500)) as origin:
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        with pytest.raises(Unreachable):
            await ingests.run(job)
        assert (await ingests.ingest(video_id))["receivedBytes"] == [
            {"from": 0, "to": 2499, "total": 4321}
        ]
        origin.handler = File(DATA, ranges=False)
        await ingests.run(job)
    assert await ingests.content(video_id) == DATA
    assert len(await ingests.objects(video_id)) == 1


async def test_another_version_of_the_file_starts_again(ingests: Ingests) -> None:
    other = media(5000)[::-1]
    async with serving(File(DATA, cut_after=2500)) as origin:
        video_id = await ingests.create(origin.url())
        await ingests.run(await ingests.job())
        origin.handler = File(other, etag='"2"')
        await ingests.work()
    assert await ingests.content(video_id) == other


@pytest.mark.parametrize("size_bytes", [2400, 2500, 5000])
async def test_without_versions_the_same_size_is_continued_no_other(
    ingests: Ingests, size_bytes: int
) -> None:
    other = media(size_bytes)[::-1]
    async with serving(File(DATA, etag=None, cut_after=2500)) as origin:
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        with pytest.raises(Unreachable):
            await ingests.run(job)
        origin.handler = File(other, etag=None)
        await ingests.run(job)
        assert await ingests.content(video_id) == other
        origin.handler = File(DATA, etag=None, cut_after=2500)
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        with pytest.raises(Unreachable):
            await ingests.run(job)
        origin.handler = File(DATA, etag=None)
        await ingests.run(job)
        assert origin.asked[-1].headers["range"] == "bytes=2500-"
        assert await ingests.content(video_id) == DATA


async def test_a_wrong_range_is_not_believed(ingests: Ingests) -> None:
    def liar(asked: Asked) -> Answer:
        if "range" not in asked.headers:
            return File(DATA)(asked)
        return Answer(206, DATA[:100], {"Content-Range": "bytes 0-99/4321", "ETag": '"1"'})

    async with serving(File(DATA, cut_after=2500)) as origin:
        video_id = await ingests.create(origin.url())
        await ingests.run(await ingests.job())
        origin.handler = liar
        await ingests.work()
    assert await ingests.content(video_id) == DATA


async def test_a_file_of_unknown_length(ingests: Ingests) -> None:
    def chunked(_: Asked) -> Answer:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(DATA), DATA)
        return Answer(200, body, {"Transfer-Encoding": "chunked"})

    async with serving(chunked) as origin:
        video_id = await ingests.create(origin.url())
        await ingests.work()
    assert await ingests.content(video_id) == DATA
    assert (await ingests.ingest(video_id))["filesize"] == 4321


@pytest.mark.parametrize("size_bytes", [1, 999, 1000, 1001, 2000, 3000])
async def test_sizes_around_a_piece(ingests: Ingests, size_bytes: int) -> None:
    data = media(size_bytes)
    for headers in ({}, {"Transfer-Encoding": "chunked"}):
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (size_bytes, data) if headers else data
        answer = Answer(200, body, dict(headers))
        async with serving(lambda _, given=answer: given) as origin:  # type: ignore[misc]
            video_id = await ingests.create(origin.url())
            await ingests.work()
        assert await ingests.content(video_id) == data


async def test_after_its_turn_a_download_makes_room(ingests: Ingests) -> None:
    ingests = ingests.with_bounds(turn_s=0)
    async with serving(File(DATA)) as origin:
        video_id = await ingests.create(origin.url())
        assert await ingests.work() == 5
    assert await ingests.content(video_id) == DATA


async def test_a_job_that_runs_twice_changes_nothing(ingests: Ingests) -> None:
    async with serving(File(DATA)) as origin:
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        for _ in range(2):
            await ingests.run(job)
        assert len(origin.asked) == 1
    assert len(await ingests.assets(video_id)) == 1
    assert await ingests.waiting() == []


async def test_of_two_runs_the_younger_one_goes_on(ingests: Ingests) -> None:
    hold = asyncio.Event()
    slow = Answer(200, DATA, {"ETag": '"1"'}, cut_after=1500, hold=hold)
    async with serving(lambda _: slow) as origin:
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        async with asyncio.TaskGroup() as group:
            frozen = group.create_task(ingests.run(job))

            async def arrived() -> bool:
                return (await ingests.source(video_id)).mode is not None

            await until(arrived, 20)
            origin.handler = File(DATA)
            await ingests.run(job)
            hold.set()
            await frozen
    assert await ingests.content(video_id) == DATA
    assert len(await ingests.assets(video_id)) == 1


async def test_a_deleted_video_stops_its_download(ingests: Ingests) -> None:
    hold = asyncio.Event()
    answer = Answer(200, DATA, cut_after=1500, hold=hold)
    async with serving(lambda _: answer) as origin:
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        prefix = (await ingests.source(video_id)).prefix
        async with asyncio.TaskGroup() as group:
            running = group.create_task(ingests.run(job))

            async def arrived() -> bool:
                return (await ingests.source(video_id)).mode is not None

            await until(arrived, 20)
            assert (await ingests.client.delete(f"/videos/{video_id}")).status_code == 204
            hold.set()
            await running
    await ingests.run(job)
    await ingests.store.delete_prefix(prefix)
    assert len(origin.asked) == 1


@pytest.mark.parametrize("status", [204, 301, 403, 404, 429, 500, 503])
async def test_what_the_server_says_is_told(ingests: Ingests, status: int) -> None:
    async with serving(lambda _: Answer(status)) as origin:
        video_id = await ingests.create(origin.url("/gone.mp4?token=secret"))
        job = await ingests.job()
        with pytest.raises(OutboundError):
            await ingests.run(job)
    step = await ingests.step(video_id)
    assert (step["name"], step["state"], step["attempt"]) == ("download", "retrying", 1)
    assert f"answered {status}" in step["detail"]["reason"]
    assert step["detail"]["url"] == origin.url("/gone.mp4")


async def test_a_failure_for_good_leaves_the_documented_state(ingests: Ingests) -> None:
    async with serving(File(DATA, ranges=False, cut_after=1500)) as origin:
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        for _ in range(job.attempts):
            with pytest.raises(OutboundError):
                await ingests.run(job)
        await ingests.give_up(job, "127.0.0.1: the connection broke")
        await ingests.run(job)  # a late repetition
        assert len(origin.asked) == 4
    assert await ingests.status(video_id) == {
        "ingest": {"status": "ingesting", "filesize": None, "receivedBytes": []},
        "encoding": {
            "playable": False,
            "qualities": [],
            "metadata": dict.fromkeys(
                ["width", "height", "bitrate", "duration", "framerate", "samplerate",
                 "videoCodec", "audioCodec", "aspectRatio"]
            ),
        },
    }  # fmt: skip
    view = await ingests.view(video_id)
    assert view["failure"] == "127.0.0.1: the connection broke"
    assert view["state"] == "failed"
    assert view["steps"][0]["state"] == "failed"
    assert await ingests.objects(video_id) == []


async def test_early_viewers_learn_that_it_failed(
    ingests: Ingests, viewer: httpx.AsyncClient
) -> None:
    """Of a download, and of a copy that waits for it; both were looked at before."""
    original = await ingests.create("http://127.0.0.1:22/a.mp4")
    copied = await ingests.create(original)
    paths = [f"/vod/{video_id}/hls/manifest.m3u8" for video_id in (original, copied)]
    for path in paths:
        early = await viewer.get(path)
        assert (early.status_code, early.headers["telecine-stage"]) == (202, "ingesting")
    await ingests.give_up(await ingests.job(), "nobody there")
    await ingests.work()
    for path in paths:

        async def told(path: str = path) -> bool:
            reply = await viewer.get(path)
            return reply.status_code == 404

        await until(told)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_file_that_is_too_large_is_refused(ingests: Ingests, *, chunked: bool) -> None:
    ingests = ingests.with_bounds(source_bytes=4320)
    answer = Answer(200, DATA)
    if chunked:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(DATA), DATA)
        answer = Answer(200, body, {"Transfer-Encoding": "chunked"})
    async with serving(lambda _: answer) as origin:
        video_id = await ingests.create(origin.url())
        job = await ingests.job()
        with pytest.raises(PermanentFailure, match="larger than 4320 bytes"):
            await ingests.run(job)
        await ingests.give_up(job, "too large")
    assert await ingests.objects(video_id) == []


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_quota_holds(ingests: Ingests, *, chunked: bool) -> None:
    await ingests.set_quota(6000)
    answer = Answer(200, DATA)
    if chunked:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(DATA), DATA)
        answer = Answer(200, body, {"Transfer-Encoding": "chunked"})
    async with serving(lambda _: answer) as origin:
        fits, exceeds = [await ingests.create(origin.url()) for _ in range(2)]
        await ingests.work()
    assert await ingests.content(fits) == DATA
    failure = "the storage quota of the project is used up: 6000 bytes"
    assert (await ingests.view(exceeds))["failure"] == failure
    assert await ingests.objects(exceeds) == []


async def test_a_connection_that_breaks_behind_the_last_byte_is_no_failure(
    ingests: Ingests,
) -> None:
    # The end of a chunked body is missing, not one of its bytes.
    body = b"%x\r\n%b\r\n" % (len(DATA) - 2000, DATA[2000:])
    head = {"ETag": '"1"', "Content-Range": f"bytes 2000-{len(DATA) - 1}/{len(DATA)}"}
    async with serving(File(DATA, cut_after=2000)) as origin:
        video_id = await ingests.create(origin.url())
        await ingests.run(await ingests.job())
        origin.handler = lambda _: Answer(206, body, {**head, "Transfer-Encoding": "chunked"})
        await ingests.work()
    assert await ingests.content(video_id) == DATA
    step = await ingests.step(video_id)
    assert step["state"] == "done"
    assert "reason" not in step["detail"]


async def test_an_empty_file_is_no_source(ingests: Ingests) -> None:
    async with serving(File(b"")) as origin:
        video_id = await ingests.create(origin.url())
        with pytest.raises(Unreachable, match="empty"):
            await ingests.run(await ingests.job())
    assert (await ingests.ingest(video_id))["status"] == "ingesting"


async def test_private_addresses_are_not_asked(ingests: Ingests) -> None:
    async with serving(File(DATA)) as origin, OutboundClient(OutboundPolicy()) as guarded:
        object.__setattr__(ingests.bench, "client", guarded)
        video_id = await ingests.create(origin.url(host="localhost"))
        await ingests.work()
        assert origin.asked == []
    view = await ingests.view(video_id)
    assert "not a" in view["failure"] or "not allowed" in view["failure"]
    assert view["steps"][0]["detail"]["reason"] == view["failure"]


async def test_a_download_has_a_week(ingests: Ingests) -> None:
    ingests = ingests.with_bounds(age_s=0)
    async with serving(File(DATA)) as origin:
        await ingests.create(origin.url())
        with pytest.raises(PermanentFailure, match="not complete within"):
            await ingests.run(await ingests.job())


async def test_a_silent_server_is_given_up(ingests: Ingests) -> None:
    ingests = ingests.with_bounds(idle_s=0.2)
    answer = Answer(200, DATA, cut_after=1, hold=asyncio.Event())
    async with serving(lambda _: answer) as origin:
        await ingests.create(origin.url())
        with pytest.raises(TooSlow):
            await ingests.run(await ingests.job())


async def test_a_stranger_sees_nothing_of_it(ingests: Ingests, stranger: httpx.AsyncClient) -> None:
    video_id = await ingests.create("https://media.example/a.mp4")
    assert (await stranger.get(f"/videos/{video_id}/status")).status_code == 404
    assert isinstance(await ingests.job(), DownloadSource)
