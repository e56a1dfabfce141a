"""Runs ffmpeg, and confined modules of ours, on media that nobody vouches for."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from telecine.ffmpeg.child import Child, Exit
from telecine.ffmpeg.confinement import (
    Layers,
    Program,
    SandboxPolicy,
    launcher_argv,
    read_report,
)
from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.pipes import Pipe
from telecine.ffmpeg.progress import PROGRESS_PERIOD_S, Progress, ProgressReader
from telecine.ffmpeg.python_program import python_program
from telecine.ffmpeg.streams import (
    FIRST_OUTPUT_FD,
    INPUT_FD,
    PROGRESS_FD,
    Streams,
    open_streams,
)
from telecine.ffmpeg.verdict import judge
from telecine.ffmpeg.watch import Brake, Limits, Watch

__all__ = [
    "FIRST_OUTPUT_FD",
    "INPUT_FD",
    "Brake",
    "Limits",
    "MediaError",
    "Progress",
    "Result",
    "Runner",
    "RunnerError",
    "input_url",
    "output_url",
]

Sink = Callable[[bytes], Awaitable[None] | None]


def input_url() -> list[str]:
    """Return the options by which ffmpeg reads the run's input."""
    return ["-fd", str(INPUT_FD), "-i", "fd:"]


def output_url(index: int) -> str:
    """Return the name by which ffmpeg writes to the run's output number `index`."""
    return f"pipe:{FIRST_OUTPUT_FD + index}"


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


class Runner:
    """Starts confined programs. One per process, shared by all its tasks."""

    def __init__(self, ffmpeg: Path, sandbox: SandboxPolicy) -> None:
        self.ffmpeg = ffmpeg
        self.sandbox: SandboxPolicy = sandbox

    async def run(
        self,
        argv: Sequence[str],
        *,
        limits: Limits,
        feed: AsyncIterator[bytes] | None = None,
        input_file: Path | None = None,
        outputs: Sequence[Sink] = (),
        on_progress: Callable[[Progress], None] | None = None,
        brake: Brake | None = None,
    ) -> Result:
        """Run ffmpeg with the arguments `argv` (without its name) to its end.

        The input is `feed` or `input_file`, named by `input_url()`; every `-i` needs
        `safety.INPUT_FLAGS` before it. Each output is given what ffmpeg writes to
        `output_url(index)`, in order; while an output's awaitable is pending, ffmpeg waits.
        On cancellation or any error the process is dead before this returns.

        Raises:
            MediaError: the file's fault.
            RunnerError: ours, or a limit on time; may be tried again.
        """
        reporting = []
        if on_progress is not None:
            reporting = ["-nostats", "-stats_period", str(PROGRESS_PERIOD_S),
                         "-progress", f"pipe:{PROGRESS_FD}"]  # fmt: skip
        program = Program(path=self.ffmpeg, argv=["ffmpeg", *reporting, *argv])
        run = _Run(program, limits, self.sandbox, brake or Brake())
        return await run.complete(feed, input_file, outputs, on_progress)

    async def run_python(
        self,
        module: str,
        *,
        limits: Limits,
        arguments: Sequence[str] = (),
        feed: AsyncIterator[bytes] | None = None,
        input_file: Path | None = None,
        outputs: Sequence[Sink] = (),
    ) -> Result:
        """Run a Python module as `__main__` in the same sandbox.

        It can import the standard library, Telecine, numpy and PyAV; it reads descriptor
        `INPUT_FD` and writes to `FIRST_OUTPUT_FD` and those that follow. An uncaught
        exception of it is a `MediaError`. Raises as `run`.
        """
        program = python_program(module, arguments)
        run = _Run(program, limits, self.sandbox, Brake())
        return await run.complete(feed, input_file, outputs, None)


class _Run:
    """One program from its start to its end."""

    def __init__(
        self, program: Program, limits: Limits, policy: SandboxPolicy, brake: Brake
    ) -> None:
        self._program = program
        self._limits = limits
        self._policy: SandboxPolicy = policy
        self._brake = brake
        self._watch = Watch(limits)

    async def complete(
        self,
        feed: AsyncIterator[bytes] | None,
        input_file: Path | None,
        outputs: Sequence[Sink],
        on_progress: Callable[[Progress], None] | None,
    ) -> Result:
        with open_streams(
            feed=feed is not None,
            input_file=input_file,
            outputs=len(outputs),
            progress=on_progress is not None,
        ) as streams:
            child = self._start(streams, FIRST_OUTPUT_FD + len(outputs))
            try:
                end = await self._serve(child, streams, feed, outputs, on_progress)
            except BaseExceptionGroup as group:
                # One failure cancels the rest: the first is the cause.
                raise _first(group) from None
            finally:
                await child.kill()
        return self._conclude(end, streams)

    def _start(self, streams: Streams, first_closed_fd: int) -> Child:
        argv = launcher_argv(
            self._program, self._limits, self._policy, first_closed_fd=first_closed_fd
        )
        null = os.open(os.devnull, os.O_RDWR)
        try:
            return Child(argv, streams.files(null))
        except OSError as error:
            raise RunnerError("launch", str(error)) from error
        finally:
            os.close(null)
            streams.hand_over()

    async def _serve(
        self,
        child: Child,
        streams: Streams,
        feed: AsyncIterator[bytes] | None,
        outputs: Sequence[Sink],
        on_progress: Callable[[Progress], None] | None,
    ) -> Exit:
        """Move all bytes until the child has ended and its pipes are empty."""
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

    def _conclude(self, end: Exit, streams: Streams) -> Result:
        last_words = streams.tail.text
        layers = read_report(bytes(streams.report), last_words)
        error = judge(end, self._limits, last_words)
        if error is not None:
            raise error
        return Result(
            returncode=end.returncode,
            stderr_tail=last_words,
            cpu_s=end.cpu_s,
            peak_memory_bytes=end.peak_memory_bytes,
            layers=layers,
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


async def _collect(pipe: Pipe, add: Callable[[bytes], object]) -> None:
    while data := await pipe.read():
        add(data)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
