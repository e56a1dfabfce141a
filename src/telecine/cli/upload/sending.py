"""One file on its way: create the video, send what is missing, several parts at once."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from telecine.cli.upload import cutting, movie_index
from telecine.cli.upload.api import Api, Refused, Video
from telecine.cli.upload.cutting import Piece
from telecine.cli.upload.display import Display
from telecine.cli.upload.files import Found, OpenFile, opened
from telecine.cli.upload.form import Form
from telecine.cli.upload.patience import Patience
from telecine.cli.upload.records import Held, Record, Records
from telecine.cli.upload.wishes import Options

_COMPLETE = {"uploaded", "ingested"}
_FORGOTTEN = {404, 422}
"""Refusals on which an upload that was resumed begins anew: there is no such video, or it
would be created otherwise now."""

_STORED = {"part-already-sent", "video-source-already-uploaded", "range-overlap"}
"""Refusals that, for a part that was sent before, say that it had arrived."""


@dataclass(slots=True)
class _Sending:
    """A file while it is sent."""

    found: Found
    file: OpenFile
    held: Held
    record: Record
    is_resumed: bool = False
    pieces: list[Piece] = field(init=False)
    stored: set[int] = field(default_factory=set)
    flying: dict[int, int] = field(default_factory=dict)
    """How many bytes of which part are on their way."""

    def __post_init__(self) -> None:
        self.pieces = cutting.cut(self.file.identity.size_bytes, self.record.part_bytes)

    @property
    def sent_bytes(self) -> int:
        """Return how much has been sent."""
        stored = (self.pieces[number - 1].size_bytes for number in self.stored)
        return sum(stored) + sum(self.flying.values())

    @property
    def video(self) -> Video:
        """Return the video; there must be one by now."""
        assert self.record.video is not None  # noqa: S101 - see above
        return self.record.video


class Sender:
    """Sends files to one server."""

    def __init__(
        self, api: Api, records: Records, patience: Patience, display: Display, options: Options
    ) -> None:
        self._api = api
        self._records = records
        self._patience = patience
        self._display = display
        self._options = options

    async def send(self, found: Found) -> Video:
        """Send a file, or what is missing of it; return its video.

        Raises:
            CannotGoOn: the server is gone or refuses, or the file cannot be sent.
        """
        with (
            opened(found.path) as file,
            self._records.hold(self._api.base_url, found.path) as held,
        ):
            cutting.cut(file.identity.size_bytes, self._options.part_bytes)
            sending = await self._resumed(found, file, held)
            if sending is None or not await self._gone_on(sending):
                sending = await self._begun(found, file, held)
                await self._send_missing(sending)
            file.check()
            held.drop()
            return sending.video

    async def _resumed(self, found: Found, file: OpenFile, held: Held) -> _Sending | None:
        """Return the upload that an earlier command began; None: begin anew."""
        record = held.load() if self._options.resume else None
        if record is None:
            return None
        if record.file != file.identity:
            self._note(found, "changed since its upload was begun: starting anew")
            return None
        sending = _Sending(found, file, held, record, is_resumed=True)
        if record.video is not None and self._api.token is not None:
            sending.stored = set(record.answered)
        return sending

    async def _gone_on(self, sending: _Sending) -> bool:
        """Send what is missing of an upload; tell whether the server let us go on with it."""
        try:
            if sending.record.video is None:
                await self._create(sending)
            elif self._api.token is None and not await self._ask_stored(sending):
                self._note(sending.found, "its video has got another file: starting anew")
                return False
            if sending.record.video is not None:
                parts = f"{len(sending.stored)} of {len(sending.pieces)} parts are there"
                self._note(sending.found, f"going on with {sending.video.video_id}, {parts}")
            await self._send_missing(sending)
        except Refused as refusal:
            if refusal.code not in _FORGOTTEN:
                raise
            self._note(sending.found, "the server does not know of its upload: starting anew")
            return False
        return True

    async def _begun(self, found: Found, file: OpenFile, held: Held) -> _Sending:
        part_bytes = self._options.part_bytes
        record = Record(self._api.base_url, str(found.path), file.identity, part_bytes)
        held.save(record)
        sending = _Sending(found, file, held, record)
        await self._create(sending)
        return sending

    async def _create(self, sending: _Sending) -> None:
        """Create the video of a file: one, even if an answer got lost."""
        if self._api.token is not None:
            return  # the first part does
        document = {"title": self._title(sending.found), "tags": self._tags(sending.found)}
        key = sending.record.creation_key
        sending.record.video = await self._patience.insist(
            lambda _: self._api.create(document, key)
        )
        sending.held.save(sending.record)

    def _title(self, found: Found) -> str:
        return self._options.title or found.path.stem

    def _tags(self, found: Found) -> list[str]:
        folder = [found.path.resolve().parent.name] if self._options.tag_folder else []
        return [*self._options.tags, *folder]

    def _note(self, found: Found, text: str) -> None:
        self._display.note(f"{found.name}: {text}.")

    async def _ask_stored(self, sending: _Sending) -> bool:
        """Ask which parts have arrived; False if that does not go with this upload."""
        path_id = sending.video.video_id
        ingest = (await self._patience.insist(lambda _: self._api.status(path_id)))["ingest"]
        if ingest is None:
            return True
        numbers = {piece.number for piece in sending.pieces}
        if ingest["status"] in _COMPLETE:
            sending.stored |= numbers
            return bool(ingest["filesize"] == sending.file.identity.size_bytes)
        parts = ingest.get("receivedParts") or {"parts": [], "total": None}
        sending.stored |= numbers.intersection(parts["parts"])
        agrees = parts["total"] in {None, len(numbers)} and numbers.issuperset(parts["parts"])
        return agrees and ingest["status"] == "uploading" and not ingest["receivedBytes"]

    async def _send_missing(self, sending: _Sending) -> None:
        pieces = sending.pieces
        if len(pieces) > 1:
            size_bytes = sending.file.identity.size_bytes
            index = await asyncio.to_thread(movie_index.find, sending.file.read_at, size_bytes)
            pieces = cutting.in_order_of_use(pieces, index)
        missing = iter([piece for piece in pieces if piece.number not in sending.stored])
        self._show(sending)
        try:
            if sending.record.video is None:  # only its answer tells where the others go
                await self._send_piece(sending, next(missing))
            await self._send_several(sending, missing)
        finally:
            self._display.sent(sending.found.name)

    async def _send_several(self, sending: _Sending, missing: Iterator[Piece]) -> None:
        async def work() -> None:
            for piece in missing:  # of all workers
                await self._send_piece(sending, piece)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._options.parallel):
                    group.create_task(work())
        except BaseExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from None  # the others say the same

    async def _send_piece(self, sending: _Sending, piece: Piece) -> None:
        async def attempt(failures: int) -> None:
            if not (failures and await self._has(sending, piece)):
                await self._try_piece(sending, piece, again=failures > 0 or sending.is_resumed)

        await self._patience.insist(attempt)
        sending.stored.add(piece.number)
        self._show(sending)
        if self._api.token is not None:
            sending.record.answered.append(piece.number)
            sending.held.save(sending.record)

    async def _has(self, sending: _Sending, piece: Piece) -> bool:
        """Tell whether the server has a part whose answer was lost, as far as it can be told."""
        if self._api.token is not None:
            return False
        await self._ask_stored(sending)
        return piece.number in sending.stored

    async def _try_piece(self, sending: _Sending, piece: Piece, *, again: bool) -> None:
        def count(size_bytes: int) -> None:
            sending.flying[piece.number] += size_bytes
            self._show(sending)

        sending.flying[piece.number] = 0
        try:
            video = await self._post(sending, piece, count)
        except Refused as refusal:
            is_there = self._api.token is not None or await self._has(sending, piece)
            if not (again and refusal.slug in _STORED and is_there):
                raise
        else:
            sending.record.video = sending.record.video or video
        finally:
            del sending.flying[piece.number]

    async def _post(self, sending: _Sending, piece: Piece, count: Callable[[int], None]) -> Video:
        known, token = sending.record.video, self._api.token
        if token is None:
            name, fields, path, query = (
                sending.found.path.name,
                {},
                f"/videos/{sending.video.video_id}/source",
                {},
            )
        else:
            name = self._options.title or sending.found.path.name  # becomes the title
            fields = {} if known is None else {"videoId": known.video_id}
            path, query = "/upload", {"token": token}
        form = Form(sending.file, piece, name, fields, count)
        return Video.from_json(
            await self._api.ask("POST", path, params=query, headers=form.headers, content=form)
        )

    def _show(self, sending: _Sending) -> None:
        size_bytes = sending.file.identity.size_bytes
        self._display.sending(sending.found.name, sending.sent_bytes, size_bytes)
