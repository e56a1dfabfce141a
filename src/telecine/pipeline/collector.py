"""Takes what encoders write, and gives finished pieces."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from telecine.formats.mp4.fragment import FragmentSplitter, InitSegment
from telecine.pipeline.retime import Retimer, WrongOutputError


@dataclass(frozen=True, slots=True)
class Piece:
    """One finished piece: `moof` and `mdat`, ready to be served behind `init`."""

    rendition: str
    number: int
    init: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class EncodedRendition:
    """The pieces of one rendition, in order."""

    name: str
    init: bytes
    pieces: list[bytes]
    concealed: int = 0
    """How often the decoder met damage on its way; 0: the source is sound here."""


OnPiece = Callable[[Piece], Awaitable[None] | None]


class Collector:
    """Takes one output of a run, which has pieces [first, end) of one rendition.

    `settled` gives the init segment to keep for one that was made. Where the output
    `overlaps` the next one, what follows is left to that. With `headers_only` nothing but
    the init segment is looked at.
    """

    def __init__(
        self,
        retimer: Retimer,
        span: tuple[int, int],
        on_piece: OnPiece | None,
        settled: Callable[[str, bytes], bytes],
        *,
        overlaps: bool = False,
        headers_only: bool = False,
    ) -> None:
        self._settled = settled
        self._overlaps = overlaps
        self._headers_only = headers_only
        self._retimer = retimer
        self._splitter = FragmentSplitter()
        self._next, self._end = span
        self._on_piece = on_piece
        self.init = b""
        self.pieces: list[bytes] = []

    async def take(self, data: bytes) -> None:
        """Take bytes as they come. Raises WrongOutputError, or as `on_piece` does."""
        name = self._retimer.rendition.name
        for part in self._splitter.feed(data):
            if isinstance(part, InitSegment):
                self.init = self._settled(name, self._retimer.init(part))
                continue
            if self._headers_only:
                self.pieces.append(part.payload)
                continue
            if self._next >= self._end:
                if self._overlaps:
                    continue
                raise WrongOutputError(f"{name}: more than piece {self._end - 1}")
            piece = self._retimer.piece(self._next, part)
            self.pieces.append(piece)
            number, self._next = self._next, self._next + 1
            if self._on_piece is not None:
                pending = self._on_piece(Piece(name, number, self.init, piece))
                if pending is not None:
                    await pending

    def finish(self) -> None:
        """Say that the output has ended. Raises WrongOutputError if pieces are missing."""
        self._splitter.finish()
        if self._headers_only:
            self.pieces = []
        elif self._next != self._end:
            name = self._retimer.rendition.name
            raise WrongOutputError(f"{name}: ends before piece {self._next}, not {self._end}")


def joined_spans(name: str, spans: Sequence[Collector], concealed: int) -> EncodedRendition:
    """Return a rendition whose spans came from one encoder each, in order.

    Raises:
        WrongOutputError: pieces are missing, or two of them need other headers.
    """
    for span in spans:
        span.finish()
    if len({span.init for span in spans}) != 1:
        raise WrongOutputError(f"{name}: init segments differ")
    return EncodedRendition(name, spans[0].init, [p for s in spans for p in s.pieces], concealed)
