"""What the engine asks of a source: bytes at an offset."""

from pathlib import Path
from typing import Protocol


class SourceReader(Protocol):
    """An immutable file, wherever it lies."""

    @property
    def size_bytes(self) -> int:
        """Size of the whole file."""
        ...

    @property
    def local_path(self) -> Path | None:
        """The file itself, where it is one on a local disk."""
        ...

    async def read(self, offset: int, size_bytes: int, /) -> bytes:
        """Return the bytes from `offset` on; fewer only at the end of the file."""
        ...
