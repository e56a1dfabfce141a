"""What the operator is told of work: while it runs, when it fails, and of what viewers asked."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from telecine.domains.encodings import wants
from telecine.domains.encodings.handlers import bench as bench_module
from telecine.domains.encodings.handlers.ladder import encode_chunk
from telecine.domains.encodings.jobs import EncodeChunk
from telecine.domains.encodings.models import Step
from telecine.ffmpeg.meter import note_run, note_trouble
from telecine.ffmpeg.progress import Progress
from telecine.ffmpeg.runner import MediaError, RunnerError
from telecine.pipeline import encode
from tests.fixtures.application import OPERATOR_KEY
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.domains.encodings.cinema import Cinema, House, refused

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
SAID = "[h264 @ 0x55d2c8a2f1c0] /var/lib/media/a.mp4: error while decoding MB 3 7\n"


async def step(operator: httpx.AsyncClient, video_id: str, name: str) -> Json | None:
    """Return a step of a video as the operator is shown it; None: there is none."""
    headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    answer = await operator.get(f"/_/videos/{video_id}/jobs", headers=headers)
    assert answer.status_code == 200, answer.text
    found = [each for each in answer.json()["steps"] if each["name"] == name]
    assert len(found) <= 1
    return found[0] if found else None


async def test_a_running_step_tells_how_far_it_is_and_a_failed_one_why(
    house: House, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_fail = asyncio.Event()
    frames = house.asset.plan.segment_frames(house.asset.plan.chunk_segments[1] - 1)[1]

    async def half_done(*_: Any, on_progress: Any, **__: Any) -> None:
        note_run(2.5, SAID)
        note_trouble("stalled: in /tmp/work/one: nothing came")
        on_progress(Progress(frames=frames // 2, media_us=0, ended=False))
        await may_fail.wait()
        raise RunnerError("stalled", "nothing came")

    monkeypatch.setattr(bench_module, "_TELL_EVERY_S", 0.02)
    monkeypatch.setattr(encode, "encode_chunk", half_done)
    job = EncodeChunk(asset_id=house.asset.id, chunk=0)
    shown: Json = {}

    async def half_shown() -> bool:
        nonlocal shown
        shown = await step(anonymous, house.video_id, "chunk 0") or {}
        return shown.get("progress") is not None

    async with asyncio.TaskGroup() as group:
        running = group.create_task(failing(encode_chunk(house.bench, job)))
        await until(half_shown)
        assert shown["progress"] == 0.5
        assert (shown["state"], shown["finishedAt"], shown["next"]) == ("running", None, None)
        may_fail.set()
        async with asyncio.timeout(PATIENCE_S):
            await running
    failed = await step(anonymous, house.video_id, "chunk 0")
    assert failed is not None
    assert (failed["state"], failed["attempt"], failed["attempts"]) == ("retrying", 1, 5)
    assert failed["progress"] is None
    assert failed["cpuS"] == 2.5
    assert failed["reason"] == "The encoder gave no sign of life and was stopped."
    assert failed["log"] == ["[h264] a.mp4: error while decoding MB 3 7"]
    assert failed["next"] == "It is tried again in a few seconds."
    assert failed["detail"]["troubles"] == ["stalled: in one: nothing came"]


async def test_what_no_retry_is_for_says_what_helps(
    house: House, anonymous: httpx.AsyncClient
) -> None:
    found = await house.bench.asset(house.asset.id)
    assert found is not None
    helps = {"thumbnail": "/thumbnail", "storyboard": "no previews", "report": "/report"}
    for name in helps:
        with pytest.raises(RunnerError):
            async with house.bench.step(found[0], name):
                raise RunnerError("stalled", "nothing came")
    async with house.bench.db.transaction() as tx:
        await tx.execute(update(Step).values(state="failed"))
    for name, what in helps.items():
        told = await step(anonymous, house.video_id, name)
        assert told is not None
        assert what in told["next"]
        assert "retry" not in told["next"]


async def failing(work: Any) -> None:
    with pytest.raises(RunnerError):
        await work


async def test_what_viewers_asked_for_is_one_step_of_the_rendition(
    cinema: Cinema, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: Json = {}

    async def told(**wanted: object) -> None:
        """Wait until the figures say so: they are written behind the segment."""

        async def so() -> bool:
            nonlocal shown
            shown = await step(anonymous, cinema.video_id, "on demand 240p") or {}
            return shown != {} and wanted.items() <= shown["detail"].items()

        await until(so)

    await cinema.segment(3)
    await told(encodes=1, segments=1, failures=0, given_up=0)
    first_cpu_s = shown["cpuS"]
    assert first_cpu_s > 0
    assert (shown["state"], shown["progress"], shown["reason"]) == ("done", 1.0, None)

    async def fail(*_: Any, **__: Any) -> None:
        note_run(0.5, SAID)
        raise failure

    failure: Exception = MediaError("undecodable", "nothing")
    with monkeypatch.context() as patched:
        patched.setattr(encode, "encode_chunk", fail)
        await refused(cinema.segment(1))
        await told(encodes=2, segments=1, failures=1)
        assert shown["state"] == "failed"
        assert shown["reason"] == "No picture of this part of the video can be decoded."
        assert shown["log"] == ["[h264] a.mp4: error while decoding MB 3 7"]
        assert "tried again when somebody asks" in shown["next"]
        assert shown["cpuS"] == pytest.approx(first_cpu_s + 0.5)
        failure = RunnerError("stalled", "nothing came")
        await refused(cinema.segment(2))
        await told(encodes=2 + wants.ATTEMPTS, failures=1 + wants.ATTEMPTS)
        assert (shown["attempt"], shown["attempts"]) == (wants.ATTEMPTS, wants.ATTEMPTS)
    await cinema.segment(4)
    await told(encodes=3 + wants.ATTEMPTS, segments=2)
    assert (shown["state"], shown["reason"], shown["log"]) == ("done", None, [])
