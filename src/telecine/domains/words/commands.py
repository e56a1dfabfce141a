"""Running the programs of the operator: trusted to run, not to answer as they should.

A command is words as in a shell, without one: `{input}` is the file that it reads (else
that is its standard input), `{output}` the file that it writes, without the ending (else
that is its standard output), `{language}` a tag or `auto`.
"""

import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telecine.ffmpeg.child import Child, Exit
from telecine.ffmpeg.errors import RunnerError
from telecine.ffmpeg.meter import note_run
from telecine.ffmpeg.pipes import Pipe

LEASH: Final = Path(__file__).with_name("leash.py")

_SECRETS = ("TELECINE_", "AWS_", "DATABASE_URL")
"""What begins so in our environment is for us alone."""

_TAIL_BYTES = 4096
_LAST_WORDS_S = 5.0
"""How long what a command has started may keep its output open after its end."""


class CommandError(RunnerError):
    """A command did not do what it is for.

    `reason`: `command-failed`, `command-slow`, `command-output`.
    """


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and the seconds that it may take."""

    words: tuple[str, ...]
    limit_s: float

    @classmethod
    def of(cls, line: str, limit_s: float) -> "Command | None":
        """Return the command of a setting; None if that is empty."""
        words = tuple(shlex.split(line))
        return cls(words, limit_s) if words else None


@dataclass(frozen=True, slots=True)
class Commands:
    """What the operator has configured; they work in folders inside of `folder`."""

    folder: Path
    reserve_bytes: int = 0
    transcript: Command | None = None
    summary: Command | None = None


async def run(
    command: Command, place: Path, read: Path, ending: str, language: str, most_bytes: int
) -> bytes:
    """Run a command on the file `read`, and return what it writes.

    It works in the folder `place`; `ending` is that of a file that it writes (`vtt`), if
    it does so. When this is cancelled or fails, the command and what it has started in
    its process group are dead.

    Raises:
        CommandError: its exit status is not 0, it took too long, or it wrote nothing or
            more than `most_bytes`.
    """
    line = " ".join(command.words)
    output = place / "output"
    values = {"{input}": str(read), "{output}": str(output), "{language}": language}
    words = [_filled(word, values) for word in command.words]
    with ExitStack() as stack:
        null = _opened(stack, Path(os.devnull))
        said = stack.enter_context(Pipe(to_child=False))
        complained = stack.enter_context(Pipe(to_child=False))
        source = null if "{input}" in line else _opened(stack, read)
        argv = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(place), *words]
        try:
            files = {0: source, 1: said.far, 2: complained.far}
            child = Child(argv, files, _environment())
        except OSError as error:
            raise CommandError("command-failed", f"{words[0]}: {error.strerror}") from error
        said.hand_over()
        complained.hand_over()
        written = await _finished(child, command, said, complained, most_bytes)
    if "{output}" in line:
        written = await asyncio.to_thread(_read, output.with_suffix(f".{ending}"), most_bytes)
    if not written:
        raise CommandError("command-output", "it wrote nothing")
    return written


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _opened(stack: ExitStack, path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_SECRETS)}


async def _finished(
    child: Child, command: Command, said: Pipe, complained: Pipe, most_bytes: int
) -> bytes:
    """Wait for a command's end; return what it said."""
    heard, tail = bytearray(), bytearray()

    def hear(data: bytes) -> None:
        heard.extend(data)
        if len(heard) > most_bytes:
            raise _too_much(most_bytes)

    def keep(data: bytes) -> None:
        tail.extend(data)
        del tail[:-_TAIL_BYTES]

    try:
        async with asyncio.timeout(command.limit_s):
            end = await _followed(child, {said: hear, complained: keep})
    except TimeoutError:
        raise CommandError("command-slow", f"not done after {command.limit_s:g} s") from None
    finally:
        await child.kill()
        note_run((await child.wait()).cpu_s, tail.decode("utf-8", "replace"))
    if end.returncode != 0:
        raise CommandError("command-failed", _how(end))
    return bytes(heard)


async def _followed(child: Child, pipes: Mapping[Pipe, Callable[[bytes], None]]) -> Exit:
    try:
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(_drain(*each)) for each in pipes.items()]
            end = await child.wait()
            # Something that it left behind may hold its pipes open for ever.
            await asyncio.wait(readers, timeout=_LAST_WORDS_S)
            for reader in readers:
                reader.cancel()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return end


async def _drain(pipe: Pipe, take: Callable[[bytes], None]) -> None:
    while data := await pipe.read():
        take(data)


def _how(end: Exit) -> str:
    if end.returncode < 0:
        return f"it was ended by signal {-end.returncode}"
    return f"its exit status was {end.returncode}"


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        detail = f"there is no {path.name} that can be read: {error.strerror}"
        raise CommandError("command-output", detail) from None
    if len(data) > most_bytes:
        raise _too_much(most_bytes)
    return data


def _too_much(most_bytes: int) -> CommandError:
    return CommandError("command-output", f"it wrote more than {most_bytes} bytes")
