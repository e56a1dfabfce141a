"""Exceptions that nobody foresaw: they end an event, tell of it, and free its key."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from telecine.formats.flv.bodies import body
from telecine.live.layers import Layers
from telecine.live.packager import Packager
from telecine.live.recording_file import File
from telecine.live.relay import Relay
from telecine.live.restream import Restreams
from telecine.live.studio import Studio
from telecine.storage.local import LocalStore
from tests.fixtures.waiting import until
from tests.unit.live.test_packager import VIDEO
from tests.unit.live.test_studio import Encoder, Memory, admitted, feed

pytestmark = pytest.mark.anyio


class Unforeseen(Exception):
    """What no handler knows."""


def fails(*_: object, **__: object) -> Any:
    raise Unforeseen


async def fails_later(*_: object, **__: object) -> Any:
    raise Unforeseen


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def studio(memory: Memory, tmp_path: Path) -> Studio:
    return Studio(memory, LocalStore(tmp_path), part_ms=200, window_s=60, grace_s=60)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Restreams, "run"), (Layers, "run"), (Memory, "started"), (Packager, "end")],
    ids=["restreams", "layers", "begin", "end"],
)
async def test_an_event_ends_and_its_key_is_free(
    studio: Studio, memory: Memory, monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    encoder, later = Encoder(), name in ("run", "started")
    event = await admitted(studio, encoder)
    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(owner, name, fails_later if later else fails)
        feed(event)
        if name == "end":
            studio.complete("li1")
        await asyncio.wait_for(event.over.wait(), 30)
    assert encoder.closed == "the server failed"
    await asyncio.wait_for(studio.close(), 30)
    (line,) = [each for each in lines if each["log_level"] == "error"]
    assert (line["event"], line["stream"]) == ("broadcast failed", "li1")
    assert event.window.ended
    assert memory.told == ([] if name == "started" else ["started", "ended", "recorded"])
    assert await admitted(studio, Encoder()) is not event
    await studio.close()


async def test_an_end_that_cannot_be_told_frees_the_key(
    studio: Studio, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await admitted(studio, Encoder())
    feed(event)
    with capture_logs() as lines:
        monkeypatch.setattr(memory, "ended", fails_later)
        await asyncio.wait_for(studio.close(), 30)
    assert [each["stream"] for each in lines if each["log_level"] == "error"] == ["li1"]
    assert memory.told == ["started", "recorded"]
    assert studio.on_air == []


@pytest.mark.parametrize(
    ("owner", "name"), [(Packager, "push"), (Relay, "hand_on")], ids=["packager", "relay"]
)
async def test_media_that_nobody_can_take_ends_the_event(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    event = await admitted(studio, encoder := Encoder())
    feed(event)
    monkeypatch.setattr(owner, name, fails)
    with capture_logs() as lines:
        event.receive(True, 0, body(VIDEO))
        event.receive(True, 0, body(VIDEO))  # what is left of the same read
    assert [each["part"] for each in lines if each["log_level"] == "error"] == ["media"]
    assert encoder.closed == "the server failed"
    assert studio.on_air == []
    monkeypatch.undo()
    studio.gone(event, encoder)
    await studio.close()


async def test_viewers_do_not_notice_that_the_recording_failed(
    studio: Studio, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await admitted(studio, Encoder())

    async def failed() -> bool:
        return event.told()["recording_failure"] is not None

    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(File, "note", fails)
        feed(event, 2)
        await until(failed)
    feed(event, 2)
    assert [each["event"] for each in lines if each["log_level"] == "error"] == ["recording failed"]
    assert studio.on_air == ["li1"]
    await studio.close()
    assert memory.told == ["started", "ended", "recorded, recording-broken"]


async def test_a_disk_that_becomes_read_only_cuts_the_recording_short(
    studio: Studio, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    event = await admitted(studio, Encoder())
    feed(event, 2)
    monkeypatch.setattr(Path, "unlink", read_only)
    for call in ("write", "fdatasync", "fsync", "ftruncate"):
        monkeypatch.setattr(os, call, read_only)
    feed(event, 2)
    await asyncio.wait_for(studio.close(), 30)
    assert memory.told[:2] == ["started", "ended"]
    assert memory.told[2].endswith("recording-broken")
