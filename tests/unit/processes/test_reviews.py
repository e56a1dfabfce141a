"""Changes of streams that are on the air, which a database tells that fails now and then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from telecine.db.engine import Database
from telecine.domains.live_streams import broadcasting
from telecine.domains.live_streams.events import StoredBroadcasts
from telecine.live.studio import Studio
from telecine.processes import live
from telecine.processes.live import Reviews
from telecine.storage.local import LocalStore
from tests.unit.live.test_studio import Encoder, Memory, admitted, feed

pytestmark = pytest.mark.anyio


class Moody:
    """A database that fails in one way after the other, and then no more."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        if self._failures:
            raise self._failures.pop(0)
        yield


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(Memory(), LocalStore(tmp_path), part_ms=200, window_s=60)


async def review(studio: Studio, *failures: Exception) -> list[Any]:
    """Tell of an event whose end somebody asked for; return what is logged."""
    database = cast("Database", Moody(*failures))
    with capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            reviews = Reviews(database, studio, cast("StoredBroadcasts", None), group)
            reviews.all()
            reviews.of("li1")
    return [each for each in lines if each["event"].startswith("change not seen")]


@pytest.fixture
async def on_air(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    event = await admitted(studio, Encoder())
    event.event = uuid4()
    feed(event)

    async def wanted(*_: object) -> Any:
        return SimpleNamespace(), SimpleNamespace(id=event.event, completed_at="now")

    monkeypatch.setattr(broadcasting, "wanted", wanted)
    monkeypatch.setattr(live, "_PAUSES_S", (0.0,))
    yield
    await studio.close()


@pytest.mark.usefixtures("on_air")
async def test_what_the_database_does_not_tell_is_asked_again(studio: Studio) -> None:
    full = OperationalError("SELECT", {}, Exception("too many connections"))
    lines = await review(studio, full, ConnectionRefusedError(), full)
    assert studio.on_air == []
    assert [each["log_level"] for each in lines] == ["warning"] * 3


@pytest.mark.usefixtures("on_air")
async def test_what_nobody_foresaw_ends_nothing(studio: Studio) -> None:
    (line,) = await review(studio, LookupError("of ours"))
    assert (line["log_level"], line["stream"]) == ("error", "li1")
    assert studio.on_air == ["li1"]
    assert await review(studio) == []  # the next change is seen
    assert studio.on_air == []
