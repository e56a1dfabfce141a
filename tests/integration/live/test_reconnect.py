"""An encoder that is away for a while: its event goes on within a minute, then another begins."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import select

from telecine import clock
from telecine.domains.live_streams.models import Broadcast, LiveStream, Recording
from telecine.formats.hls.check_live import read_live
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.live_rules import observed
from tests.fixtures.rtmp_encoder import encoding
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until
from tests.integration.live.test_changes import Customer
from tests.integration.live.test_on_air import Viewer, events_of, recordings
from tests.integration.live.test_srt import health_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STARTED, ENDED = "live-stream.broadcast.started", "live-stream.broadcast.ended"
MINUTE = timedelta(seconds=60)


@pytest.fixture
async def client(telecine_server: TelecineServer) -> AsyncIterator[httpx.AsyncClient]:
    async with observed(telecine_server.base_url) as client:
        yield client


class Away:
    """What a customer and a viewer see while nobody publishes."""

    def __init__(self, client: httpx.AsyncClient, stream: OnAir) -> None:
        self._client = client
        self._stream = stream
        self.customer = Customer(client, stream)

    async def on_air(self) -> bool:
        """Tell whether the event has not ended: until then the stream says that it broadcasts."""
        broadcasting = await self.customer.is_broadcasting()
        health = await health_of(self._client, self._stream)
        assert broadcasting or not health
        return bool(health)

    async def for_s(self, seconds: float) -> bool:
        """Tell whether no media has come for so long."""
        assert await self.on_air()
        health = await health_of(self._client, self._stream)
        return bool(health["silentMs"] >= seconds * 1000)

    async def over(self) -> bool:
        return not await self.on_air()


def session_of(text: str) -> str:
    found = re.search(r'MAP:URI="(\w+)-init', text)
    assert found is not None
    return found[1]


def dates(text: str) -> list[datetime]:
    """Return when the first sample of each segment was received."""
    said = [segment.date for segment in read_live(text).segments]
    return [datetime.fromisoformat(each) for each in said if each is not None]


async def broadcasts(stream: OnAir) -> Sequence[Broadcast]:
    """Return the events of a stream, oldest first."""
    async with stream.database() as db, db.transaction() as tx:
        rows = (
            select(Broadcast)
            .join(LiveStream, LiveStream.id == Broadcast.live_stream_id)
            .where(LiveStream.public_id == stream.public_id)
            .order_by(Broadcast.id)
        )
        return (await tx.scalars(rows)).all()


async def test_an_encoder_that_was_away_for_five_seconds_goes_on(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    viewer, away, sessions = Viewer(client, stream), Away(client, stream), set[str]()
    for last in (False, True):
        async with publishing(stream.publish_url, live_clip()):
            await until(viewer.playable)
            await until(away.customer.is_broadcasting)
            await viewer.reload()
            await viewer.follow(8)
        sessions.add(session_of(viewer.text))
        if not last:
            await until(lambda: away.for_s(5))
            text = await viewer.reload()
            assert "#EXT-X-ENDLIST" not in text
            await until(away.on_air)
    segments = read_live(viewer.text).segments
    (behind,) = [number for number, each in enumerate(segments) if each.discontinuity]
    received = dates(viewer.text)
    assert received[behind] - received[behind - 1] > timedelta(seconds=5)
    assert len(sessions) == 1
    await stream.complete()
    assert len(await recordings(client, stream)) == 1
    assert (await events_of(stream)).count(STARTED) == 1
    (event,) = await broadcasts(stream)
    assert event.ended_at is not None


@pytest.mark.parametrize("says_so", [False, True], ids=["lost", "unpublished"])
async def test_an_encoder_that_ends_its_stream_is_waited_for_as_well(
    client: httpx.AsyncClient, telecine_server: TelecineServer, says_so: bool
) -> None:
    """Encoders say so on short restarts, too."""
    stream = await make_live_stream(telecine_server)
    viewer, away = Viewer(client, stream), Away(client, stream)
    async with encoding(stream.publish_url) as encoder:
        end_ms = await encoder.send(live_clip("four.flv", 4), 0)
        await until(viewer.playable)
        await until(away.customer.is_broadcasting)
        await viewer.reload()
        if says_so:
            await encoder.finish()
    await until(lambda: away.for_s(1))
    assert not (await health_of(client, stream))["publishing"]
    assert await away.customer.is_broadcasting()
    assert "#EXT-X-ENDLIST" not in await viewer.reload()
    assert await events_of(stream) == [STARTED]
    async with encoding(stream.publish_url) as encoder:
        await encoder.send(live_clip("four.flv", 4), end_ms)

        async def went_on() -> bool:
            return "#EXT-X-DISCONTINUITY\n" in await viewer.reload()

        await until(went_on)
    assert await events_of(stream) == [STARTED]
    await stream.complete()
    await until(away.over)


async def test_an_encoder_that_was_away_for_seventy_seconds_begins_anew(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    """With the patience that everybody has who sets none."""
    viewer, away = Viewer(client, stream), Away(client, stream)
    async with publishing(stream.publish_url, live_clip()):
        await until(viewer.playable)
        await until(away.customer.is_broadcasting)
        await viewer.reload()
        await viewer.follow(8)
        last = dates(await viewer.reload())[-1]

    async def ended() -> bool:  # and perhaps gone, as it was a short one
        answer = await client.get(stream.playlist_url)
        return answer.status_code == 404 or "#EXT-X-ENDLIST" in answer.text

    await until(away.over)
    await until(ended)
    (first,) = await broadcasts(stream)
    assert first.ended_at is not None
    assert first.ended_at - last > MINUTE  # it waited for all of it
    assert not await away.customer.is_broadcasting()

    async def seventy() -> bool:
        return clock.now() - last > MINUTE * 7 / 6

    await until(seventy)
    again = Viewer(client, stream)
    async with publishing(stream.publish_url, live_clip()):
        await until(away.customer.is_broadcasting)

        async def another() -> bool:
            answer = await client.get(stream.playlist_url)
            return answer.status_code == 200 and "#EXT-X-ENDLIST" not in answer.text

        await until(another)
        text = await again.reload()
        assert session_of(text) != session_of(viewer.text)
        assert read_live(text).sequence == 0
        assert "#EXT-X-DISCONTINUITY\n" not in text
        await again.follow(8)
        assert [each.ended_at is None for each in await broadcasts(stream)] == [False, True]
    await stream.complete()
    made = await recordings(client, stream, count=2)
    assert len(made) == len({*made}) == 2
    async with stream.database() as db, db.transaction() as tx:
        events = [each.id for each in await broadcasts(stream)]
        rows = select(Recording).where(Recording.broadcast_id.in_(events)).order_by(Recording.id)
        kept = [each for each in await tx.scalars(rows) if each.kept]
    assert [each.broadcast_id for each in kept] == events
    told = [each for each in await events_of(stream) if each in (STARTED, ENDED)]
    assert told == [STARTED, ENDED, STARTED, ENDED]
