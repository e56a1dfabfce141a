"""One request body with a part of a file, of known length and never in memory as a whole."""

from collections.abc import AsyncIterator, Callable, Mapping

from telecine import ids
from telecine.cli.upload.cutting import Piece
from telecine.cli.upload.files import OpenFile

READ_BYTES = 1 << 20


class Form:
    """A `multipart/form-data` body (RFC 7578): fields, then bytes of a file.

    `sent` is told how many of the file's bytes were given away each time.
    """

    def __init__(
        self,
        file: OpenFile,
        piece: Piece,
        file_name: str,
        fields: Mapping[str, str],
        sent: Callable[[int], None],
    ) -> None:
        self._file = file
        self._piece = piece
        self._sent = sent
        boundary = f"telecine-{ids.nonce()}"
        self._media_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{quotable(file_name)}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        )
        self._head = "".join(parts).encode(errors="replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that describe it."""
        size_bytes = len(self._head) + self._piece.size_bytes + len(self._tail)
        headers = {"Content-Type": self._media_type, "Content-Length": str(size_bytes)}
        if self._piece.content_range is not None:
            headers["Content-Range"] = self._piece.content_range
        return headers

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises CannotGoOn if the file has changed."""
        yield self._head
        at, end = self._piece.start, self._piece.start + self._piece.size_bytes
        while at < end:
            data = await self._file.read(at, min(READ_BYTES, end - at))
            yield data
            at += len(data)
            self._sent(len(data))
        yield self._tail


def quotable(name: str) -> str:
    """Return a file name as it may stand in quotes."""
    printable = "".join(each if each.isprintable() else " " for each in name)
    return printable.replace("\\", "\\\\").replace('"', '\\"')
