"""The descriptors of a run: which number means what in the child."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from telecine.ffmpeg.complaints import Complaints
from telecine.ffmpeg.launcher import STATUS_FD
from telecine.ffmpeg.pipes import PIPE_BYTES, Pipe

PROGRESS_FD: Final = 8
INPUT_FD: Final = 9
FIRST_OUTPUT_FD: Final = 10

_STDERR_BYTES = 8192
_STDERR_LINES = 8


@dataclass(slots=True)
class Tail:
    """The end of a stream of unknown length."""

    data: bytes = b""
    complaints: Complaints = field(default_factory=Complaints)

    def add(self, data: bytes) -> None:
        """Append, and forget what is too old."""
        self.complaints.add(data)
        self.data = (self.data + data)[-_STDERR_BYTES:]

    @property
    def text(self) -> str:
        """The last lines."""
        lines = self.data.decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-_STDERR_LINES:])


@dataclass(slots=True)
class Streams:
    """All pipes of one run."""

    status: Pipe
    stderr: Pipe
    progress: Pipe | None
    feed: Pipe | None
    input_fd: int | None
    outputs: list[Pipe]
    attachments: list[int]
    report: bytearray = field(default_factory=bytearray)
    tail: Tail = field(default_factory=Tail)

    def files(self, null: int) -> dict[int, int]:
        """Return our descriptor for each number in the child; `null` is /dev/null."""
        files = {0: null, 1: null, 2: self.stderr.far, STATUS_FD: self.status.far}
        if self.progress is not None:
            files[PROGRESS_FD] = self.progress.far
        if self.feed is not None:
            files[INPUT_FD] = self.feed.far
        elif self.input_fd is not None:
            files[INPUT_FD] = self.input_fd
        for index, output in enumerate(self.outputs):
            files[FIRST_OUTPUT_FD + index] = output.far
        for index, attachment in enumerate(self.attachments):
            files[FIRST_OUTPUT_FD + len(self.outputs) + index] = attachment
        return files

    def hand_over(self) -> None:
        """Close the child's ends here."""
        for pipe in (self.status, self.stderr, self.progress, self.feed, *self.outputs):
            if pipe is not None:
                pipe.hand_over()


@contextlib.contextmanager
def open_streams(
    *,
    feed: bool,
    input_file: Path | None,
    outputs: int,
    progress: bool,
    attachments: Sequence[bytes] = (),
) -> Iterator[Streams]:
    """Open the pipes of a run; all are closed with the context."""
    with contextlib.ExitStack() as stack:
        input_fd = None
        if input_file is not None:
            input_fd = os.open(input_file, os.O_RDONLY)
            stack.callback(os.close, input_fd)

        def pipe(*, to_child: bool = False, size_bytes: int = PIPE_BYTES) -> Pipe:
            return stack.enter_context(Pipe(to_child=to_child, size_bytes=size_bytes))

        yield Streams(
            status=pipe(size_bytes=4096),
            stderr=pipe(size_bytes=65536),
            progress=pipe(size_bytes=4096) if progress else None,
            feed=pipe(to_child=True) if feed else None,
            input_fd=input_fd,
            outputs=[pipe() for _ in range(outputs)],
            attachments=[stack.enter_context(_in_memory(data)) for data in attachments],
        )


@contextlib.contextmanager
def _in_memory(data: bytes) -> Iterator[int]:
    """Give a small file that has no name anywhere: the child can seek in it."""
    fd = os.memfd_create("attachment")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
