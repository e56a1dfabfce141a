"""One confined program, from its start to its end."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from telecine.ffmpeg.child import Child, Exit
from telecine.ffmpeg.complaints import Complaints
from telecine.ffmpeg.confinement import (
    Layers,
    Program,
    SandboxPolicy,
    launcher_argv,
    read_report,
)
from telecine.ffmpeg.errors import RunnerError
from telecine.ffmpeg.meter import note_run
from telecine.ffmpeg.pipes import Pipe
from telecine.ffmpeg.progress import Progress, ProgressReader
from telecine.ffmpeg.streams import FIRST_OUTPUT_FD, Streams, open_streams
from telecine.ffmpeg.verdict import judge
from telecine.ffmpeg.watch import Brake, Limits, Watch

Sink = Callable[[bytes], Awaitable[None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A run that succeeded."""

    returncode: int
    stderr_tail: str
    cpu_s: float
    """User and system time, with some 20 ms of the launcher."""

    peak_memory_bytes: int
    layers: Layers
    """What of the sandbox was in force."""

    complaints: Complaints
    """What ffmpeg said of damaged media."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plumbing:
    """What of a run must be there when its program starts."""

    feed: bool
    outputs: int
    input_file: Path | None = None
    progress: bool = False
    attachments: Sequence[bytes] = ()


class Run:
    """A program that has been started; its clocks begin with `complete`.

    Until then it costs nothing here: nobody reads its pipes, and the kernel kills it when
    this process ends. Either `complete` or `close` must follow.
    """

    def __init__(
        self,
        program: Program,
        limits: Limits,
        policy: SandboxPolicy,
        brake: Brake,
        plumbing: Plumbing,
    ) -> None:
        """Start it. Raises RunnerError."""
        self._limits = limits
        self._brake = brake
        self._watch = Watch(limits)
        with contextlib.ExitStack() as stack:
            self._streams = stack.enter_context(
                open_streams(
                    feed=plumbing.feed,
                    input_file=plumbing.input_file,
                    outputs=plumbing.outputs,
                    progress=plumbing.progress,
                    attachments=plumbing.attachments,
                )
            )
            first_closed_fd = FIRST_OUTPUT_FD + plumbing.outputs + len(plumbing.attachments)
            argv = launcher_argv(program, limits, policy, first_closed_fd=first_closed_fd)
            self._child = _start(argv, self._streams)
            self._pipes = stack.pop_all()

    @property
    def ended(self) -> bool:
        """Tell whether the program is gone."""
        return self._child.exited.done()

    async def wait(self) -> None:
        """Wait until the program is gone."""
        await self._child.wait()

    async def close(self) -> None:
        """Kill the program, if it still runs, and close the pipes."""
        try:
            await self._child.kill()
        finally:
            self._pipes.close()

    async def complete(
        self,
        feed: AsyncIterator[bytes] | None,
        outputs: Sequence[Sink],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Result:
        """Move all bytes until the program has ended. Raises as `Runner.run`."""
        self._watch = Watch(self._limits)
        try:
            end = await self._serve(feed, outputs, on_progress)
        except BaseExceptionGroup as group:
            # One failure cancels the rest: the first is the cause.
            raise _first(group) from None
        finally:
            await self.close()
            note_run((await self._child.wait()).cpu_s, self._streams.tail.text)
        return self._conclude(end)

    async def _serve(
        self,
        feed: AsyncIterator[bytes] | None,
        outputs: Sequence[Sink],
        on_progress: Callable[[Progress], None] | None,
    ) -> Exit:
        """Return how the child ended, once its pipes are empty."""
        child, streams = self._child, self._streams
        async with asyncio.TaskGroup() as tasks:
            until_exit = [tasks.create_task(self._watch.enforce())]
            if feed is not None and streams.feed is not None:
                until_exit.append(tasks.create_task(self._feed(feed, streams.feed)))
            tasks.create_task(_collect(streams.stderr, streams.tail.add))
            if streams.progress is not None and on_progress is not None:
                tasks.create_task(self._follow(streams.progress, on_progress))
            for pipe, sink in zip(streams.outputs, outputs, strict=True):
                tasks.create_task(self._drain(pipe, sink))
            await _collect(streams.status, streams.report.extend)
            # Braked only as itself: a launcher that stands still is not yet bound to die
            # with us.
            with self._brake.holding(child, self._watch):
                end = await child.wait()
            for task in until_exit:
                task.cancel()
        return end

    def _conclude(self, end: Exit) -> Result:
        last_words = self._streams.tail.text
        layers = read_report(bytes(self._streams.report), last_words)
        starved = self._streams.tail.complaints.starved
        error = judge(end, self._limits, last_words, starved=starved)
        if error is not None:
            raise error
        return Result(
            returncode=end.returncode,
            stderr_tail=last_words,
            cpu_s=end.cpu_s,
            peak_memory_bytes=end.peak_memory_bytes,
            layers=layers,
            complaints=self._streams.tail.complaints,
        )

    async def _feed(self, feed: AsyncIterator[bytes], pipe: Pipe) -> None:
        async with contextlib.AsyncExitStack() as stack:
            if isinstance(feed, AsyncGenerator):
                await stack.enter_async_context(contextlib.aclosing(feed))
            # A program that has what it wants stops reading; its exit status tells the rest.
            stack.enter_context(contextlib.suppress(BrokenPipeError))
            while True:
                with self._watch.our_turn():
                    data = await anext(feed, None)
                if data is None:
                    break
                await pipe.write(data, self._watch.touch)
        pipe.close()

    async def _drain(self, pipe: Pipe, sink: Sink) -> None:
        while data := await pipe.read():
            self._watch.touch()
            pending = sink(data)
            if pending is not None:
                with self._watch.our_turn():
                    await pending

    async def _follow(self, pipe: Pipe, on_progress: Callable[[Progress], None]) -> None:
        reader, last = ProgressReader(), None
        while data := await pipe.read():
            for progress in reader.feed(data):
                if progress != last:
                    self._watch.touch()
                    last = progress
                    on_progress(progress)


def _start(argv: Sequence[str], streams: Streams) -> Child:
    null = os.open(os.devnull, os.O_RDWR)
    try:
        return Child(argv, streams.files(null))
    except OSError as error:
        raise RunnerError("launch", str(error)) from error
    finally:
        os.close(null)
        streams.hand_over()


async def _collect(pipe: Pipe, add: Callable[[bytes], object]) -> None:
    while data := await pipe.read():
        add(data)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
