"""libavformat on a file, as the probe program uses it.

Only ever imported inside the sandboxed probe program: libavformat in a process of ours
would be as open to attack as ffmpeg.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from io import SEEK_SET, RawIOBase

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from telecine.ffmpeg.safety import DEMUXERS, MAX_PIXELS, MAX_STREAMS
from telecine.pipeline.limits import UnplayableError

_BUFFER_BYTES = 1 << 18


class _Input:
    """A file as libavformat knows files: where none can be, a seek fails and reading goes on.

    An exception would end all reading, although demuxers try places that headers only claim.
    """

    def __init__(self, file: RawIOBase) -> None:
        self._file = file
        self.read = file.read
        self.tell = file.tell

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Return the new position, or the error as libavformat numbers it."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):  # before the beginning, or beyond what a file can be
            return -errno.EINVAL


@contextmanager
def opened(file: RawIOBase) -> Iterator[InputContainer]:
    """Open a file as media. Raises UnplayableError, also for errors inside the block."""
    options = {
        "format_whitelist": ",".join(DEMUXERS),
        # The file object is all the input there is.
        "protocol_whitelist": "none",
        "max_pixels": str(MAX_PIXELS),
        "max_streams": str(MAX_STREAMS),
    }
    try:
        with av.open(
            _Input(file),
            mode="r",
            options=options,
            buffer_size=_BUFFER_BYTES,
            metadata_errors="replace",
        ) as container:
            yield container
    except av.error.FFmpegError as error:
        raise UnplayableError("unreadable", error.strerror or str(error)) from error


def packets(
    container: InputContainer, *streams: VideoStream | AudioStream
) -> Iterator["Packet[Stream]"]:
    """Yield the packets of streams in the order of the file."""
    try:
        yield from container.demux(*streams)
    except IndexError:
        # Some formats may show more streams than there were when they were opened. PyAV
        # looks for those, too, once it has given the last packet.
        return
