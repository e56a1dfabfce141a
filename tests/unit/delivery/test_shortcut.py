import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from starlette.types import Message

from telecine import clock
from telecine.delivery import answers, shortcut
from telecine.delivery.answers import Answer
from telecine.delivery.gate import Guarded, named
from telecine.delivery.media import AssetView, Media, MediaCache, RenditionView, Stage
from telecine.delivery.parts import Part, StoredRange
from telecine.delivery.segments import Segments
from telecine.delivery.shortcut import SegmentShortcut
from telecine.storage.local import LocalStore
from telecine.storage.store import Store

pytestmark = pytest.mark.anyio

HOST = (b"host", b"media.example")
SESSION = "A" * 28
SESSION_END = datetime(2121, 1, 1, tzinfo=UTC)
IN_SESSION = (
    b"/vod/viABC/token/00000000-0000-4000-8000-000000000000/hls/%s/2-7.m4s?avh=" + SESSION.encode()
)
SIGNED = b"/vod/viABC/token/skAB~4102444800~~~code/hls/%s/2-7.m4s"
SEGMENT = b"/vod/viABC/hls/360p/2-7.m4s"
PARTS: list[Part] = [b"moof", StoredRange("film", 3, 5)]


def rendition(name: str) -> RenditionView:
    return RenditionView(UUID(int=2), name, True, "encoded", b"", None, 1, 1)


class Viewed:
    """A shortcut to a video of which this process knows everything."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = LocalStore(folder)
        self.asset = AssetView(
            id=UUID(int=1),
            project_id=UUID(int=0),
            epoch=2,
            prefix="",
            plan=cast("Any", None),
            source=cast("Any", None),
            renditions={name: rendition(name) for name in ("360p", "audio")},
            still_key=None,
            storyboard_key=None,
            storyboard_offsets=None,
            arrived=9,
        )
        self.video = SimpleNamespace(public=True, access=None, public_id="viABC")
        self.media: Media | None = Media(cast("Any", self.video), self.asset, Stage.READY)
        self.parts: list[Part] | None = PARTS
        self.answer = SegmentShortcut(
            cast("MediaCache", SimpleNamespace(kept=lambda public_id: self.media)),
            cast("Segments", SimpleNamespace(known=lambda *which: self.parts)),
            self.store,
            lambda *which: SESSION_END if which == ("viABC", SESSION) else None,
            self.signed_end,
        )
        self.signing_keys = {"skAB"}

    def signed_end(self, media: Guarded, token: str) -> datetime | None:
        key, _, rest = token.partition("~")
        known = key in self.signing_keys and media is self.video and rest == "4102444800~~~code"
        return SESSION_END if known else None

    def changed(self) -> None:
        """Something about the video changes, as the process is told."""
        self.media = Media(cast("Any", self.video), self.asset, Stage.READY)

    def __call__(self, target: bytes = SEGMENT, room: int = 2000) -> bytes:
        buffer = bytearray(room)
        answer = self.answer(target, memoryview(buffer))
        if answer is None:
            return b""
        if isinstance(answer.body, int):
            return answer.head + buffer[: answer.body]
        if isinstance(answer.body, bytes):
            return answer.head + answer.body
        descriptor, offset, size = answer.body
        try:
            return answer.head + os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)


@pytest.fixture
async def viewed(tmp_path: Path) -> Viewed:
    viewed = Viewed(tmp_path)
    await viewed.store.put("film", b"0123456789")
    return viewed


@pytest.mark.parametrize("opened_by", ["nothing", "session", "signature"])
@pytest.mark.parametrize("name", ["360p", "audio"])
async def test_it_says_what_the_application_would(
    viewed: Viewed, name: str, opened_by: str
) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    kind = b"audio/mp4" if name == "audio" else b"video/mp4"
    etag = viewed.asset.etag(name, "7")
    public = opened_by == "nothing"
    cache = answers.IMMUTABLE if public else answers.PRIVATE
    session = SESSION if opened_by == "session" else None
    answer = named(Answer(200, kind, PARTS, cache, etag, ranges=True), session)
    viewed.video.public = public
    target = {
        "nothing": b"/vod/viABC/hls/%s/2-7.m4s",
        "session": IN_SESSION,
        "signature": SIGNED,
    }[opened_by]
    await answers.send_answer({"method": "GET", "headers": [HOST]}, send, viewed.store, answer)
    head, _, body = viewed(target % name.encode()).partition(b"\r\n\r\n")
    headers = [tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")]
    assert sorted(headers) == sorted(sent[0]["headers"])
    assert body == b"moof34567" == b"".join(message["body"] for message in sent[1:])


async def test_a_long_stretch_of_a_file_is_left_in_it(viewed: Viewed) -> None:
    film = bytes(range(256)) * 4096
    await viewed.store.put("long", film)
    viewed.parts = [StoredRange("long", 1000, 300_000)]
    head, _, body = viewed(room=400_000).partition(b"\r\n\r\n")
    assert b"content-length: 300000" in head
    assert body == film[1000:301_000]
    viewed.changed()
    viewed.parts = [StoredRange("long", 1000, len(film))]  # shorter than its index says
    assert viewed(room=2_000_000) == b""


async def test_what_is_asked_for_again_and_again_is_kept(
    viewed: Viewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortcut, "_BODIES_BYTES", 20)  # two of nine bytes
    targets = [b"/vod/viABC/hls/360p/2-%d.m4s" % number for number in range(3)]
    answers = [viewed(target) for target in targets]
    for _ in range(2):
        assert [viewed(target) for target in targets] == answers
    await viewed.store.delete(["film"])
    assert [viewed(target) for target in targets] == [b"", *answers[1:]]
    viewed.changed()
    assert [viewed(target) for target in targets] == [b"", b"", b""]


@pytest.mark.parametrize(
    "target",
    [
        b"/vod/viABC/hls/360p/2-9.m4s",  # has not arrived, or never will
        b"/vod/viABC/hls/360p/1-7.m4s",  # of an older cutting
        b"/vod/viABC/hls/720p/2-7.m4s",
        b"/vod/viABC/hls/360p/2-7.m4s?x=1",
        b"/vod/viABC/token/00000000-0000-0000-0000-000000000000/hls/360p/2-7.m4s",
        b"/vod/viABC/hls/manifest.m3u8",
        b"/videos",
    ],
)
async def test_other_targets_are_the_applications(viewed: Viewed, target: bytes) -> None:
    assert viewed(target) == b""


async def test_what_is_private_unknown_or_elsewhere_is_the_applications(viewed: Viewed) -> None:
    assert viewed()
    assert viewed(room=8) == b""
    viewed.changed()
    viewed.parts = None
    assert viewed() == b""
    viewed.parts = [StoredRange("gone", 0, 1)]
    assert viewed() == b""
    viewed.parts = [StoredRange("film", 5, 100)]  # shorter than its index says
    assert viewed() == b""
    viewed.changed()
    viewed.parts = PARTS
    assert viewed()
    viewed.changed()
    viewed.video.public = False
    viewed.changed()
    assert viewed() == b""
    viewed.video.public, viewed.video.access = True, object()  # sites or countries
    viewed.changed()
    assert viewed() == b""
    viewed.media = None
    assert viewed() == b""


async def test_a_session_opens_a_private_video(
    viewed: Viewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewed.video.public = False
    target = IN_SESSION % b"360p"
    assert viewed(target).endswith(b"\r\n\r\nmoof34567")
    for other in (
        target.replace(b"AAAA", b"AAAB", 1),
        target.replace(b"viABC", b"viABD"),
        target[:-1],
        target + b"A",
        target + b"&x=1",
        target.replace(b"?avh", b"?x"),
        target.replace(b"2-7", b"2-9"),
        target.partition(b"?")[0],
        SEGMENT,
    ):
        assert viewed(other) == b"", other
    with monkeypatch.context() as later:
        later.setattr(clock, "now", lambda: SESSION_END)
        assert viewed(target) == b"", "it has ended"
    assert viewed(target)
    viewed.video.access = object()
    viewed.changed()
    assert viewed(target) == b""
    viewed.video.access, viewed.video.public = None, True
    viewed.changed()
    assert viewed(target) == b"", "of a public video nothing is private"


async def test_a_signed_token_opens_a_private_video_until_its_key_is_deleted(
    viewed: Viewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewed.video.public = False
    target = SIGNED % b"360p"
    for _ in range(2):
        assert viewed(target).endswith(b"\r\n\r\nmoof34567")
    for other in (
        target.replace(b"skAB", b"skAC"),
        target.replace(b"~~~", b"~192.0.2.1~~"),
        target.replace(b"code", b"core"),
        target + b"?x=1",
    ):
        assert viewed(other) == b"", other
    with monkeypatch.context() as later:
        later.setattr(clock, "now", lambda: SESSION_END)
        assert viewed(target) == b"", "it has ended"
    viewed.signing_keys.clear()
    viewed.changed()  # as all media of a project are with its keys
    assert viewed(target) == b""
