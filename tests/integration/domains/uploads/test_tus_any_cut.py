"""Wherever requests are cut, and whoever brings the rest: the same bytes in the end.

Every run draws other examples; one that fails is printed with what repeats it.
"""

import base64
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Part, Source
from telecine.domains.uploads.models import TusUpload, UploadWriter
from telecine.domains.uploads.tus import body as tus_body
from telecine.http import batches
from tests.integration.domains.uploads.resuming import Draft, Resumer

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(256))
SIZE = len(CONTENT)

KINDS = (
    "append",
    "append, cut",
    "append of unknown length, cut",
    "append with checksum",
    "append with wrong checksum",
    "append at a wrong offset",
    "append by a draft",
    "range",
    "range ahead",
)
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(1, 100), st.integers(0, 100)), max_size=6
)


class Sender:
    """Sends stretches of a file, and knows which of its bytes must be held."""

    def __init__(self, resumer: Resumer, path: str) -> None:
        self._resumer = resumer
        self._path = path
        self.held: set[int] = set()

    @property
    def offset(self) -> int:
        return next((i for i in range(SIZE) if i not in self.held), SIZE)

    async def step(self, kind: str, size: int, more: int) -> None:
        offset = self.offset
        data = CONTENT[offset : offset + size]
        digest = base64.b64encode(hashlib.sha1(data).digest()).decode()
        match kind:
            case "append":
                await self._resumer.append(self._path, offset, data)
                self._hold(offset, data)
            case "append, cut":
                pieces = [data[: len(data) // 2], data[len(data) // 2 :]]
                length = min(len(data) + more + 1, SIZE - offset)
                await self._resumer.append_and_cut(self._path, offset, pieces, length)
                self._hold(offset, data)
            case "append of unknown length, cut":
                await self._resumer.append_and_cut(self._path, offset, [data])
                self._hold(offset, data)
            case "append with checksum" if not self._is_ahead(offset, data):
                checksum = f"sha1 {digest}"
                await self._resumer.append(self._path, offset, data, Upload_Checksum=checksum)
                self._hold(offset, data)
            case "append with wrong checksum" if not self._is_ahead(offset, data):
                reply = await self._resumer.patch(
                    self._path, offset, data[:-1] + b"\0\0"[:1], Upload_Checksum=f"sha1 {digest}"
                )
                if data[-1] == 0:
                    self._hold(offset, data)
                else:
                    assert reply.status_code == 460
            case "append at a wrong offset":
                reply = await self._resumer.patch(self._path, offset + 1 + more, data[:1])
                assert reply.status_code in {409, 413}
            case "append by a draft":
                draft, ends = Draft(self._resumer, 5), offset + len(data) == SIZE
                reply = await draft.append(self._path, offset, data, complete=ends)
                assert reply.is_success, reply.text
                self._hold(offset, data)
            case "range" | "range ahead":
                await self._range(offset if kind == "range" else offset + more, size)
        assert await self._resumer.offset(self._path) == self.offset

    async def _range(self, start: int, size: int) -> None:
        data = CONTENT[start : start + max(size, 4)]
        if len(data) < 4 or self.held & set(range(start, start + len(data))):
            return
        video_id = self._path.rsplit("/", 1)[1]
        reply = await self._resumer.client.post(
            f"/videos/{video_id}/source",
            files={"file": ("clip.mp4", data)},
            headers={"Content-Range": f"bytes {start}-{start + len(data) - 1}/{SIZE}"},
        )
        assert reply.status_code == 201, reply.text
        self._hold(start, data)

    def _is_ahead(self, offset: int, data: bytes) -> bool:
        """Tell whether some of these bytes are held: then there is no checksum."""
        return bool(self.held & set(range(offset, offset + len(data))))

    def _hold(self, start: int, data: bytes) -> None:
        self.held |= set(range(start, start + len(data)))


@settings(
    max_examples=20,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS, batch=st.integers(16, 64), checkpoint=st.integers(32, 128))
async def test_any_sequence_of_requests_gives_the_same_bytes(
    resumer: Resumer,
    small_parts: None,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[tuple[str, int, int]],
    batch: int,
    checkpoint: int,
) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", batch)
    monkeypatch.setattr(tus_body, "CHECKPOINT_BYTES", checkpoint)
    monkeypatch.setattr(tus_body, "CHECKPOINT_S", 0.0)
    async with resumer.db.transaction() as tx:  # those of earlier examples, also of failed ones
        for table in (Asset, Part, UploadWriter, TusUpload, Source):
            await tx.execute(delete(table))
    path = await resumer.create(SIZE)
    sender = Sender(resumer, path)
    for kind, size, more in steps:
        if sender.offset < SIZE:
            await sender.step(kind, size, more)
    if sender.offset < SIZE:
        await resumer.append(path, sender.offset, CONTENT[sender.offset :])
    assert await resumer.offset(path) == SIZE
    assert await resumer.content(path) == CONTENT
    assert await resumer.count(UploadWriter) == 0
