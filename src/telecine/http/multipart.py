"""Uploads as `multipart/form-data`, parsed while they arrive, straight into a sink."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_to_bytes

import anyio
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from telecine.http.batches import arriving, batch_bytes
from telecine.http.boundary import Delimiter
from telecine.http.direct import pieces_of
from telecine.problems import Problem, problem
from telecine.storage.store import OutOfSpace

if TYPE_CHECKING:  # the library defines this name for type checkers only
    from python_multipart.multipart import MultipartCallbacks

MAX_FILE_BYTES = 200 * 1024 * 1024
MAX_FIELDS = 20
MAX_FIELD_BYTES = 64 * 1024
_SMALL_BYTES = 64 * 1024
"""Pieces that are joined: each costs memory beside its bytes."""

_MAX_NAME_CHARS = 255

_DRAIN_BYTES = 16 * 1024 * 1024
_DRAIN_S = 2


class Sink(Protocol):
    """Where the bytes of the file go."""

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes."""


class Memory:
    """A sink for small files: `data` is what came."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes."""
        for piece in pieces:
            self.data += piece


Announce = Callable[[str, Mapping[str, str]], Awaitable[None]]
"""Told the name of a file and the fields that came before it or with its first bytes."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What arrived: the file's bytes are in the sink."""

    file_name: str
    size_bytes: int
    fields: dict[str, str] = field(default_factory=dict)


def no_file() -> Problem:
    """There is no file part, or no multipart body at all."""
    title = "There is no uploaded file in the request."
    return problem(400, "uploaded-file-no-file", title, "file")


def multiple_files() -> Problem:
    """There are two file parts or more."""
    title = "There are more than one uploaded file in the request."
    return problem(400, "uploaded-file-multiple-files", title, "file")


def empty_file() -> Problem:
    """The file has no bytes."""
    return problem(400, "uploaded-file-empty", "The uploaded file is empty.", "file")


def file_too_large(limit_bytes: int) -> Problem:
    """The file is larger than one request may carry."""
    detail = f"The maximum size is {limit_bytes} bytes."
    title = "The uploaded file is too large."
    return problem(400, "uploaded-file-too-large", title, "file", detail)


def invalid_file(detail: str) -> Problem:
    """The file is not what the operation needs, or did not arrive whole."""
    return problem(
        400, "uploaded-file-invalid-file", "The uploaded file is invalid.", "file", detail
    )


TooLarge = Callable[[int], Problem]
"""Says what is wrong with a file that is larger than so many bytes."""


async def receive_file(
    request: Request,
    sink: Sink,
    *,
    max_bytes: int,
    too_large: TooLarge = file_too_large,
    announce: Announce | None = None,
) -> Upload:
    """Write the one file of a request to `sink`.

    The file is the part that has a file name, whatever its field is called; fields may
    stand before or after it. `announce` is called before the sink gets anything, and
    before anything is found wrong with the form. After an error the rest of the body is
    read and dropped for a while, so that clients which write first and read later get
    the answer.

    Raises:
        Problem: no file, several, an empty or too large one, or a broken body.
        OutOfSpace: the sink's.
    """
    stream = pieces_of(request, batch_bytes)
    form = _Form(max_bytes, too_large)
    announced = _Announced(sink, form, announce)
    try:
        return await _received(stream, form, _boundary(request), announced)
    except (Problem, OutOfSpace):
        await _drain(stream)
        raise


async def _received(
    stream: AsyncIterator[bytes | memoryview],
    form: "_Form",
    boundary: bytes | None,
    sink: "_Announced",
) -> Upload:
    try:
        if boundary is None:
            raise no_file()
        await _parse(stream, form, boundary, sink)
        return form.result()
    except Problem:
        await sink.announce()
        raise


def _boundary(request: Request) -> bytes | None:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    return boundary if kind == b"multipart/form-data" and boundary else None


async def _parse(
    stream: AsyncIterator[bytes | memoryview], form: "_Form", boundary: bytes, sink: Sink
) -> None:
    try:
        with arriving():  # a refused body is read on, but holds nothing
            parser = MultipartParser(boundary, form.callbacks())
            delimiter = Delimiter(boundary)
            async for chunk in stream:
                _take(chunk, form, parser, delimiter)
                # A view's bytes are other ones when the next chunk is there.
                if form.waiting_bytes >= batch_bytes() or isinstance(chunk, memoryview):
                    await sink.write(*form.take())
    except FormParserError as error:
        raise invalid_file("The multipart body is malformed.") from error
    if form.waiting_bytes:
        await sink.write(*form.take())


def _take(
    chunk: bytes | memoryview, form: "_Form", parser: MultipartParser, delimiter: Delimiter
) -> None:
    clear_bytes = 0
    if parser.state == MultipartState.PART_DATA and parser.index == 0:
        # Inside of a part, and no delimiter has begun: what surely belongs to the part is
        # nothing that the parser has to see.
        clear_bytes = delimiter.clear_bytes(chunk)
        form.on_part_data(chunk, 0, clear_bytes)
    if clear_bytes < len(chunk):
        parser.write(bytes(chunk[clear_bytes:]))


async def _drain(stream: AsyncIterator[bytes | memoryview]) -> None:
    dropped = 0
    with anyio.move_on_after(_DRAIN_S):
        async for chunk in stream:
            dropped += len(chunk)
            if dropped > _DRAIN_BYTES:
                break


class _Form:
    """The state of a body between two calls of the parser."""

    def __init__(self, max_bytes: int, too_large: TooLarge) -> None:
        self._max_bytes = max_bytes
        self._too_large = too_large
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._disposition = ""
        self._field: str | None = None  # None: the current part is the file
        self._field_data = bytearray()
        self._fields: dict[str, str] = {}
        self._file_name: str | None = None
        self._size_bytes = 0
        self._waiting: list[memoryview | bytes] = []
        self._small = bytearray()  # what comes behind those
        self._ended = False
        self.waiting_bytes = 0

    def callbacks(self) -> "MultipartCallbacks":
        """Return what the parser calls."""
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self.on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    @property
    def file_name(self) -> str:
        """Return the name of the file, empty before its part has begun."""
        return self._file_name or ""

    @property
    def fields(self) -> Mapping[str, str]:
        """Return the fields that have come so far."""
        return self._fields

    def take(self) -> list[memoryview | bytes]:
        """Return the bytes of the file that were not taken yet, in pieces."""
        self._end_small()
        pieces, self._waiting = self._waiting, []
        self.waiting_bytes = 0
        return pieces

    def result(self) -> Upload:
        """Return what arrived. Raises Problem if that is not exactly one whole file."""
        if not self._ended:
            raise invalid_file("The body ends before its last boundary.")
        if self._file_name is None:
            raise no_file()
        if self._size_bytes == 0:
            raise empty_file()
        return Upload(self._file_name, self._size_bytes, self._fields)

    def _on_part_begin(self) -> None:
        self._disposition = ""
        self._field_data.clear()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value.decode("latin-1")
        self._header_name.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = _text(options.get(b"name", b""))
        file_name = _extended_name(self._disposition) or options.get(b"filename")
        # A part called `file` is the file even if the client gave it no file name.
        if file_name is None and name != "file":
            if len(self._fields) >= MAX_FIELDS:
                raise invalid_file(f"There are more than {MAX_FIELDS} fields.")
            self._field = name
            return
        if self._file_name is not None:
            raise multiple_files()
        self._field = None
        self._file_name = clean_file_name(_text(file_name or b""))

    def on_part_data(self, data: bytes | memoryview, start: int, end: int) -> None:
        """Take bytes [start, end) of `data`: the next ones of the current part."""
        if self._field is not None:
            self._field_data += data[start:end]
            if len(self._field_data) > MAX_FIELD_BYTES:
                raise invalid_file(f"A field is longer than {MAX_FIELD_BYTES} bytes.")
            return
        self._size_bytes += end - start
        if self._size_bytes > self._max_bytes:
            raise self._too_large(self._max_bytes)
        self.waiting_bytes += end - start
        if end - start < _SMALL_BYTES:
            self._small += memoryview(data)[start:end]
        else:
            self._end_small()
            self._waiting.append(memoryview(data)[start:end])  # never copied

    def _end_small(self) -> None:
        if self._small:
            self._waiting.append(bytes(self._small))
            self._small.clear()

    def _on_part_end(self) -> None:
        if self._field is not None:
            self._fields[self._field] = _text(bytes(self._field_data))

    def _on_end(self) -> None:
        self._ended = True


class _Announced:
    """A sink that announces its file first."""

    def __init__(self, sink: Sink, form: _Form, announce: Announce | None) -> None:
        self._sink = sink
        self._form = form
        self._announce = announce

    async def announce(self) -> None:
        """Tell what is known of the file, once."""
        announce, self._announce = self._announce, None
        if announce is not None:
            await announce(self._form.file_name, self._form.fields)

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes."""
        await self.announce()
        await self._sink.write(*pieces)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\0", "")


def _extended_name(disposition: str) -> bytes | None:
    """Return the `filename*` parameter (RFC 5987, UTF-8 only), still as bytes."""
    _, found, rest = disposition.partition("filename*=")
    charset, _, encoded = rest.partition("''")
    if not found or charset.strip('" ').lower() != "utf-8":
        return None
    return unquote_to_bytes(encoded.partition(";")[0].strip('" '))


def file_name_in(disposition: str) -> str:
    """Return the file name of a `Content-Disposition`, empty if it has none."""
    _, options = parse_options_header(disposition)
    return _text(_extended_name(disposition) or options.get(b"filename", b""))


def clean_file_name(name: str) -> str:
    """Return the last element of a path without control characters, `file` if empty."""
    last = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable[:_MAX_NAME_CHARS] or "file"
