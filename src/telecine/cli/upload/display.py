"""What a person sees: bars on a terminal, lines elsewhere, always on standard error.

Standard output has results only, so that it can be kept or read by a program.
"""

import sys
from typing import Protocol, Self

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from telecine import clock

_LINE_EVERY_S = 10.0


class Display(Protocol):
    """Told how an upload goes. Names are those of files."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *exception: object) -> None:
        """Show no more."""

    def sending(self, name: str, sent_bytes: int, size_bytes: int) -> None:
        """So much of a file has been sent."""

    def sent(self, name: str) -> None:
        """A file is sent, or its sending has ended."""

    def preparing(self, name: str, what: str, done: int, total: int) -> None:
        """So many qualities are encoded; `total` is 0 while nobody knows how many."""

    def prepared(self, name: str) -> None:
        """Nothing more is waited for."""

    def note(self, text: str) -> None:
        """Something that a person may want to know."""

    def result(self, text: str) -> None:
        """What the command is for: goes to standard output."""


class Bars:
    """Bars with rate and time left, for a terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        name = TextColumn("{task.description}", markup=False)
        self._bytes = Progress(
            name,
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._qualities = Progress(
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[what]}", style="dim", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            console=console,
        )
        self._tasks: dict[tuple[Progress, str], TaskID] = {}
        # Results must reach a file that standard output is sent to.
        self._live = Live(
            Group(self._bytes, self._qualities),
            console=console,
            redirect_stdout=sys.stdout.isatty(),
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def sending(self, name: str, sent_bytes: int, size_bytes: int) -> None:
        """So much of a file has been sent."""
        task = self._tasks.get((self._bytes, name))
        if task is None:
            task = self._bytes.add_task(name, total=size_bytes, completed=sent_bytes)
            self._tasks[self._bytes, name] = task
        self._bytes.update(task, completed=sent_bytes)

    def sent(self, name: str) -> None:
        """A file is sent, or its sending has ended."""
        self._remove(self._bytes, name)

    def preparing(self, name: str, what: str, done: int, total: int) -> None:
        """So many qualities are encoded; `total` is 0 while nobody knows how many."""
        task = self._tasks.get((self._qualities, name))
        if task is None:
            task = self._qualities.add_task(name, total=None, what=what)
            self._tasks[self._qualities, name] = task
        self._qualities.update(task, completed=done, total=total or None, what=what)

    def prepared(self, name: str) -> None:
        """Nothing more is waited for."""
        self._remove(self._qualities, name)

    def note(self, text: str) -> None:
        """Something that a person may want to know."""
        self._live.console.print(text, markup=False, highlight=False)

    def result(self, text: str) -> None:
        """What the command is for: goes to standard output."""
        typer.echo(text)

    def _remove(self, progress: Progress, name: str) -> None:
        task = self._tasks.pop((progress, name), None)
        if task is not None:
            progress.remove_task(task)


class Lines:
    """A line now and then, for logs; without `progress` notes and results only."""

    def __init__(self, *, progress: bool) -> None:
        self._progress = progress
        self._begun: dict[str, tuple[float, int]] = {}
        self._last_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def sending(self, name: str, sent_bytes: int, size_bytes: int) -> None:
        """So much of a file has been sent."""
        now_s = clock.monotonic_s()
        if name not in self._begun:
            self._begun[name] = now_s, sent_bytes
            self._last_s = now_s
        elif now_s - self._last_s >= _LINE_EVERY_S:
            self._last_s = now_s
            begun_s, begun_bytes = self._begun[name]
            rate_bps = (sent_bytes - begun_bytes) / (now_s - begun_s)
            self._line(f"{name}: {progress_line(sent_bytes, size_bytes, rate_bps)}")

    def sent(self, name: str) -> None:
        """A file is sent, or its sending has ended."""
        self._begun.pop(name, None)

    def preparing(self, name: str, what: str, done: int, total: int) -> None:
        """So many qualities are encoded; `total` is 0 while nobody knows how many."""
        now_s = clock.monotonic_s()
        if now_s - self._last_s >= _LINE_EVERY_S:
            self._last_s = now_s
            self._line(f"{name}: {what}" + (f", {done} of {total}" if total else ""))

    def prepared(self, name: str) -> None:
        """Nothing more is waited for."""

    def note(self, text: str) -> None:
        """Something that a person may want to know."""
        typer.echo(text, err=True)

    def result(self, text: str) -> None:
        """What the command is for: goes to standard output."""
        typer.echo(text)

    def _line(self, text: str) -> None:
        if self._progress:
            typer.echo(text, err=True)


def progress_line(sent_bytes: int, size_bytes: int, rate_bps: float) -> str:
    """Return how far a file has come; `rate_bps` is bytes a second."""
    line = f"{sent_bytes * 100 // size_bytes} % of {size_bytes / 1e6:.1f} MB"
    if rate_bps <= 0:
        return line
    return f"{line}, {rate_bps / 1e6:.1f} MB/s, {(size_bytes - sent_bytes) / rate_bps:.0f} s left"


def fitting(*, json: bool) -> Display:
    """Return what fits where standard error leads to."""
    if sys.stderr.isatty():
        return Bars()
    return Lines(progress=not json)
