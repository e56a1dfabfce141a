"""Runs ffmpeg, and confined modules of ours, on media that nobody vouches for."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from telecine.ffmpeg.confinement import Program, SandboxPolicy
from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.progress import PROGRESS_PERIOD_S, Progress
from telecine.ffmpeg.python_program import python_program
from telecine.ffmpeg.run import Plumbing, Result, Run, Sink
from telecine.ffmpeg.streams import FIRST_OUTPUT_FD, INPUT_FD, PROGRESS_FD
from telecine.ffmpeg.watch import Brake, Limits

__all__ = [
    "FIRST_OUTPUT_FD",
    "INPUT_FD",
    "Brake",
    "Limits",
    "MediaError",
    "Progress",
    "Result",
    "Run",
    "Runner",
    "RunnerError",
    "attachment_url",
    "input_url",
    "output_url",
]


def input_url() -> list[str]:
    """Return the options by which ffmpeg reads the run's input."""
    return ["-fd", str(INPUT_FD), "-i", "fd:"]


def attachment_url(index: int, outputs: int) -> list[str]:
    """Return the options by which ffmpeg reads attachment `index` of a run."""
    return ["-fd", str(FIRST_OUTPUT_FD + outputs + index), "-i", "fd:"]


def output_url(index: int) -> str:
    """Return the name by which ffmpeg writes to the run's output number `index`."""
    return f"pipe:{FIRST_OUTPUT_FD + index}"


_QUIET = {"SVT_LOG": "1"}
"""SVT-AV1 tells all of its settings past ffmpeg's log; 1 leaves its errors."""


class Runner:
    """Starts confined programs. One per process, shared by all its tasks."""

    def __init__(self, ffmpeg: Path, sandbox: SandboxPolicy) -> None:
        self.ffmpeg = ffmpeg
        self.sandbox: SandboxPolicy = sandbox

    async def run(  # noqa: PLR0913 - all that is given to a run
        self,
        argv: Sequence[str],
        *,
        limits: Limits,
        feed: AsyncIterator[bytes] | None = None,
        input_file: Path | None = None,
        outputs: Sequence[Sink] = (),
        attachments: Sequence[bytes] = (),
        devices: Sequence[str] = (),
        on_progress: Callable[[Progress], None] | None = None,
        brake: Brake | None = None,
    ) -> Result:
        """Run ffmpeg with the arguments `argv` (without its name) to its end.

        The input is `feed` or `input_file`, named by `input_url()`; every `-i` needs
        `safety.INPUT_FLAGS` before it. Each output is given what ffmpeg writes to
        `output_url(index)`, in order; while an output's awaitable is pending, ffmpeg waits.
        `attachments` are small files of ours, named by `attachment_url()`; `devices` are
        device files that the sandbox lets through.
        On cancellation or any error the process is dead before this returns.

        Raises:
            MediaError: the file's fault.
            RunnerError: ours, or a limit on time; may be tried again.
        """
        reporting = []
        if on_progress is not None:
            reporting = ["-nostats", "-stats_period", str(PROGRESS_PERIOD_S),
                         "-progress", f"pipe:{PROGRESS_FD}"]  # fmt: skip
        program = Program(
            path=self.ffmpeg, argv=["ffmpeg", *reporting, *argv], devices=devices, env=_QUIET
        )
        plumbing = Plumbing(
            feed=feed is not None,
            outputs=len(outputs),
            input_file=input_file,
            progress=on_progress is not None,
            attachments=attachments,
        )
        run = Run(program, limits, self.sandbox, brake or Brake(), plumbing)
        return await run.complete(feed, outputs, on_progress)

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
        plumbing = Plumbing(feed=feed is not None, outputs=len(outputs), input_file=input_file)
        run = Run(program, limits, self.sandbox, Brake(), plumbing)
        return await run.complete(feed, outputs)

    def prepare_python(
        self, module: str, *, limits: Limits, arguments: Sequence[str] = (), outputs: int
    ) -> Run:
        """Start a Python module now whose feed comes later, as `Run.complete` is called.

        Its memory and processor time count from its start, all other limits from then.

        Raises:
            RunnerError: the system refuses another process.
        """
        program = python_program(module, arguments)
        plumbing = Plumbing(feed=True, outputs=outputs)
        return Run(program, limits, self.sandbox, Brake(), plumbing)
