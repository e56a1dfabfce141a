"""Bytes go through, limits hold, and nothing survives a run."""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.runner import Progress, Runner, attachment_url, input_url, output_url
from telecine.ffmpeg.safety import ATTACHED_PICTURE_FLAGS, INPUT_FLAGS
from telecine.ffmpeg.watch import Brake
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.ffmpeg.conftest import ENDLESS, LIMITS
from tests.integration.ffmpeg.processes import children, state

pytestmark = pytest.mark.anyio

RAW = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "1024x1024"]


def descriptors() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}


async def chunks(data: bytes, size_bytes: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size_bytes):
        yield data[start : start + size_bytes]


async def copy_raw(runner: Runner, data: bytes, **sinks: object) -> bytes:
    got = bytearray()
    await runner.run(
        ["-v", "error", *RAW, *input_url(), "-c", "copy", "-f", "rawvideo", output_url(0)],
        limits=LIMITS,
        feed=chunks(data, 777_777),
        outputs=[got.extend],
    )
    return bytes(got)


async def test_fifty_megabytes_pass_unchanged(runner: Runner) -> None:
    data = os.urandom(1 << 20) * 50
    got = await copy_raw(runner, data)
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()


async def test_several_outputs_each_get_their_own(runner: Runner, barcode_clip: Path) -> None:
    video, audio = bytearray(), bytearray()
    result = await runner.run(
        ["-v", "error", *INPUT_FLAGS, *input_url(),
         "-map", "0:v:0", "-c", "copy", "-f", "h264", output_url(0),
         "-map", "0:a:0", "-c", "copy", "-f", "adts", output_url(1)],
        limits=LIMITS, input_file=barcode_clip, outputs=[video.extend, audio.extend],
    )  # fmt: skip
    assert video[:4] == b"\0\0\0\1"
    assert audio[0] == 0xFF
    assert result.cpu_s > 0


async def test_attachments_are_read_beside_the_feed(runner: Runner) -> None:
    before = descriptors()
    tables = [os.urandom(500_000), os.urandom(64)]
    fed, first, second = bytearray(), bytearray(), bytearray()
    sinks = [fed.extend, first.extend, second.extend]
    attached = [
        each for number in range(2) for each in ("-f", "data", *attachment_url(number, len(sinks)))
    ]
    mapped = [
        each
        for number in range(3)
        for each in ("-map", str(number), "-c", "copy", "-f", "data", output_url(number))
    ]
    data = os.urandom(100_000)
    await runner.run(
        ["-v", "error", "-f", "data", *input_url(), *attached, *mapped],
        limits=LIMITS,
        feed=chunks(data, 7777),
        outputs=sinks,
        attachments=tables,
    )
    assert [bytes(got) for got in (fed, first, second)] == [data, *tables]
    assert descriptors() <= before


@pytest.mark.parametrize("data", [b"GIF89a", b"\x89PNG\r\n\x1a\n", b"#EXTM3U\nfile:///etc/passwd"])
async def test_an_attached_picture_is_a_png_or_nothing(runner: Runner, data: bytes) -> None:
    got = bytearray()
    argv = ["-v", "error", *ATTACHED_PICTURE_FLAGS, *attachment_url(0, 1)]
    with pytest.raises(MediaError):
        await runner.run(
            [*argv, "-f", "rawvideo", output_url(0)],
            limits=LIMITS,
            outputs=[got.extend],
            attachments=[data],
        )
    assert got == b""


async def test_an_index_at_the_end_is_reached_by_seeking(
    runner: Runner, moov_last_clip: Path
) -> None:
    frames: list[Progress] = []
    await runner.run(
        ["-v", "error", *INPUT_FLAGS, *input_url(), "-map", "0:v:0", "-f", "null", "-"],
        limits=LIMITS,
        input_file=moov_last_clip,
        on_progress=frames.append,
    )
    assert frames[-1] == Progress(frames=150, media_us=5_000_000, ended=True)


async def test_the_input_is_read_from_its_own_start_every_time(
    runner: Runner, barcode_clip: Path
) -> None:
    argv = ["-v", "error", *INPUT_FLAGS, *input_url(), "-f", "null", "-"]
    for _ in range(2):
        await runner.run(argv, limits=LIMITS, input_file=barcode_clip)


async def test_a_program_that_has_enough_input_is_no_error(
    runner: Runner, barcode_clip: Path
) -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 1
            yield bytes(1 << 20)

    await runner.run(
        ["-v", "error", *RAW, *input_url(), "-frames:v", "2", "-f", "null", "-"],
        limits=LIMITS,
        feed=endless(),
    )
    assert given >= 2


async def test_a_feed_is_closed_even_when_it_is_waiting(runner: Runner) -> None:
    closed = asyncio.Event()

    async def waits() -> AsyncIterator[bytes]:
        try:
            yield bytes(10)
            await asyncio.Event().wait()
        finally:
            closed.set()

    with pytest.raises(MediaError):
        await runner.run(["-v", "error", "-no-such-option"], limits=LIMITS, feed=waits())
    assert closed.is_set()


async def test_a_slow_sink_holds_the_program_back(runner: Runner) -> None:
    """Nothing is buffered but the pipes: what was given is not far from what was taken."""
    given = 0
    taken = 0
    largest_gap = 0

    async def feed() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(40):
            given += 1 << 20
            yield bytes(1 << 20)

    async def sink(data: bytes) -> None:
        nonlocal taken, largest_gap
        largest_gap = max(largest_gap, given - taken)
        taken += len(data)
        for _ in range(20):
            await asyncio.sleep(0)

    await runner.run(
        ["-v", "error", *RAW, *input_url(), "-c", "copy", "-f", "rawvideo", output_url(0)],
        limits=LIMITS,
        feed=feed(),
        outputs=[sink],
    )
    assert taken == 40 << 20
    assert largest_gap < 30 << 20


async def test_garbage_is_the_files_fault(runner: Runner, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.mp4"
    garbage.write_bytes(b"no video at all" * 1000)
    with pytest.raises(MediaError) as caught:
        await runner.run(
            ["-v", "error", *INPUT_FLAGS, *input_url(), "-f", "null", "-"],
            limits=LIMITS,
            input_file=garbage,
        )
    assert caught.value.reason == "unreadable"
    assert "Invalid data" in caught.value.detail


async def test_too_much_processor_time_is_the_files_fault(runner: Runner) -> None:
    with pytest.raises(MediaError, match="too-complex"):
        await runner.run(
            ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360", "-f", "null", "-"],
            limits=replace(LIMITS, cpu_s=1),
        )


async def test_too_much_memory_is_the_files_fault(runner: Runner) -> None:
    source = "color=s=8192x8192,format=gbrpf32le"
    with pytest.raises(MediaError, match="too-complex") as caught:
        await runner.run(
            ["-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "9", "-f", "null", "-"],
            limits=replace(LIMITS, memory_bytes=600 << 20),
        )
    assert "600 MiB" in caught.value.detail


async def test_the_wall_limit_ends_a_run(runner: Runner) -> None:
    with pytest.raises(RunnerError, match="wall-limit"):
        await runner.run(ENDLESS, limits=replace(LIMITS, wall_s=0.3), outputs=[lambda _: None])
    assert children() == []


async def test_a_run_that_stands_still_is_ended(runner: Runner) -> None:
    def stop(_: bytes) -> None:
        for pid in children():
            os.kill(pid, signal.SIGSTOP)

    with pytest.raises(RunnerError, match="stalled"):
        await runner.run(ENDLESS, limits=replace(LIMITS, stall_s=0.3), outputs=[stop])
    assert children() == []


async def test_a_kill_from_outside_is_not_the_files_fault(runner: Runner) -> None:
    def kill(_: bytes) -> None:
        for pid in children():
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(RunnerError) as caught:
        await runner.run(ENDLESS, limits=LIMITS, outputs=[kill])
    assert caught.value.reason == "killed"


async def test_a_service_managers_signals_are_left_to_us(runner: Runner) -> None:
    got = 0

    def terminate(data: bytes) -> None:
        nonlocal got
        got += len(data)
        for pid in children():
            os.kill(pid, signal.SIGTERM)

    argv = [*ENDLESS[:-3], "-frames:v", "2000", *ENDLESS[-3:]]
    await runner.run(argv, limits=LIMITS, outputs=[terminate])
    assert got == 2000 * 64 * 36 * 3 // 2


async def test_a_yielding_run_yields_to_other_sessions(runner: Runner) -> None:
    seen: list[tuple[int, str]] = []

    def look(_: bytes) -> None:
        for pid in [] if seen else children():
            group = Path(f"/proc/{pid}/autogroup")
            shared = group.read_text() if group.exists() else "nice 7"  # kernels that have none
            seen.append((os.getpriority(os.PRIO_PROCESS, pid), shared.split("nice ")[1].strip()))

    limits = replace(LIMITS, niceness=7)
    # More than the pipe holds: at the first bytes it still runs.
    argv = [*ENDLESS[:-3], "-frames:v", "2000", *ENDLESS[-3:]]
    await runner.run(argv, limits=limits, outputs=[look])
    assert seen == [(7, "7")]


async def test_cancelling_kills(runner: Runner) -> None:
    running = asyncio.Event()

    def note(_: bytes) -> None:
        running.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: runner.run(ENDLESS, limits=LIMITS, outputs=[note]))
        await running.wait()
        assert len(children()) == 1
        tasks.cancel_scope.cancel()
    assert children() == []


async def test_a_sinks_error_comes_out_as_itself(runner: Runner) -> None:
    async def full(_: bytes) -> None:
        raise OSError(28, "no space")

    with pytest.raises(OSError, match="no space"):
        await runner.run(ENDLESS, limits=LIMITS, outputs=[full])
    assert children() == []


async def test_a_feeds_error_comes_out_as_itself(runner: Runner) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(10)
        raise ConnectionError("source is gone")

    with pytest.raises(ConnectionError, match="source is gone"):
        await runner.run(
            ["-v", "error", *RAW, *input_url(), "-f", "null", "-"], limits=LIMITS, feed=broken()
        )
    assert children() == []


async def test_a_run_leaves_no_descriptor(runner: Runner) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        await copy_raw(runner, bytes(1 << 20))
        with pytest.raises(MediaError):
            await runner.run(["-v", "error", "-i", "nothing"], limits=LIMITS)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


async def until_stopped() -> None:
    async def stopped() -> bool:
        return [state(pid) for pid in children()] == ["T"]

    await until(stopped)


async def test_the_brake_stops_a_run_and_lets_it_go_on(runner: Runner, brake: Brake) -> None:
    flowing = asyncio.Event()

    def note(_: bytes) -> None:
        flowing.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: runner.run(ENDLESS, limits=LIMITS, outputs=[note], brake=brake))
        await flowing.wait()
        brake.hold()
        await until_stopped()
        brake.release()
        flowing.clear()
        with anyio.fail_after(PATIENCE_S):
            await flowing.wait()
        tasks.cancel_scope.cancel()


async def test_a_run_that_starts_under_the_brake_waits(runner: Runner, brake: Brake) -> None:
    brake.hold()
    started = asyncio.Event()

    def note(_: bytes) -> None:
        started.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: runner.run(ENDLESS, limits=LIMITS, outputs=[note], brake=brake))
        await until_stopped()
        started.clear()
        brake.release()
        with anyio.fail_after(PATIENCE_S):
            await started.wait()
        tasks.cancel_scope.cancel()


async def test_a_missing_ffmpeg_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="FileNotFoundError"):
        await Runner(tmp_path / "ffmpeg", "required").run(["-version"], limits=LIMITS)
