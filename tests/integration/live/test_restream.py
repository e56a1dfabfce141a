"""Events that are sent on: to targets that take them, are slow, wrong, gone or forbidden."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from telecine.formats.flv.packets import audio_packets, video_packets
from telecine.live import restream
from telecine.live.ports import Destination
from telecine.live.relay import Relay
from telecine.live.restream import Restreams
from telecine.net.policy import RTMP_PORTS, OutboundPolicy
from telecine.protocols.rtmp.session import Metadata, Unpublish
from tests.fixtures.proxy import self_signed
from tests.fixtures.rtmp_target import RtmpTarget, rtmp_target
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio

ALLOWED = OutboundPolicy.of(["127.0.0.0/8"], ports=RTMP_PORTS)
CONFIG = b"\x17\x00\x00\x00\x00config"
KEY = b"\x17\x01\x00\x00\x00key"
DELTA = b"\x27\x01\x00\x00\x00delta"


def send(relay: Relay, time_ms: int, body: bytes, *, video: bool = True) -> None:
    packets = (video_packets if video else audio_packets)(body)
    relay.hand_on(video, relay.place(video, time_ms, packets)[0], body, packets)


@pytest.fixture
async def relay() -> Relay:
    relay = Relay()
    relay.describe({"width": 320.0})
    send(relay, 0, CONFIG)
    return relay


@contextlib.asynccontextmanager
async def sending(
    relay: Relay, *targets: Destination, policy: OutboundPolicy = ALLOWED
) -> AsyncIterator[Restreams]:
    restreams = Restreams("li1", relay, policy)
    restreams.change(targets)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(restreams.run(None))
        yield restreams
        task.cancel()


def to(target: RtmpTarget, key: str = "their key", name: str = "target") -> Destination:
    return Destination(name, target.url, key)


async def is_in(restreams: Restreams, state: str, index: int = 0) -> dict[str, Any]:
    async def reached() -> bool:
        told = restreams.told()
        return len(told) > index and told[index]["state"] == state

    await until(reached)
    return restreams.told()[index]


async def test_a_target_gets_all_from_a_key_frame_on(relay: Relay) -> None:
    async with rtmp_target() as target, sending(relay, to(target)) as restreams:
        await is_in(restreams, "live")
        for number, body in enumerate((DELTA, KEY, DELTA)):
            send(relay, 33 * number, body)

        async def arrived() -> bool:
            return len(target.media) == 3

        await until(arrived)
        assert [each.payload for each in target.media] == [CONFIG, KEY, DELTA]
        assert [each.timestamp_ms for each in target.media] == [0, 66, 99]
        assert Metadata({"width": 320.0}) in target.events
        restreams.change(())

        async def ended() -> bool:
            return Unpublish() in target.events

        await until(ended)


async def test_a_change_leaves_alone_what_stays(relay: Relay) -> None:
    async with rtmp_target() as first, rtmp_target() as second:
        async with sending(relay, to(first)) as restreams:
            await is_in(restreams, "live")
            restreams.change((to(second, name="new"), to(first, name="renamed")))
            await is_in(restreams, "live")
            assert [each["name"] for each in restreams.told()] == ["new", "renamed"]
            send(relay, 0, KEY)

            async def both() -> bool:
                return bool(first.media and second.media)

            await until(both)
        assert (first.asked, second.asked) == (1, 1)


async def test_a_wrong_key_is_told_and_disturbs_nobody(relay: Relay) -> None:
    targets = rtmp_target()
    async with targets as target, sending(relay, to(target, "wrong"), to(target)) as restreams:
        told = await is_in(restreams, "waiting")
        assert "NetStream.Publish.BadName" in told["reason"]
        assert "wrong" not in repr(restreams.told())
        assert (await is_in(restreams, "live", 1))["reason"] is None


async def test_a_target_that_breaks_is_dialled_again(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restream, "LONGEST_PAUSE_S", 0.05)
    async with rtmp_target() as target, sending(relay, to(target)) as restreams:
        await is_in(restreams, "live")
        target.hang_up()

        async def again() -> bool:
            return target.asked == 2

        await until(again)
        assert (await is_in(restreams, "live"))["attempts"] == 0


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_target_of_rtmps_has_to_be_who_it_says(
    relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    tls, pem = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self_signed(tmp_path)
    tls.load_cert_chain(pem)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    async with rtmp_target(tls=tls) as target, sending(relay, to(target)) as restreams:
        if not trusted:
            assert "certificate" in (await is_in(restreams, "waiting"))["reason"].lower()
            assert target.events == []
            return
        await is_in(restreams, "live")
        send(relay, 0, KEY)

        async def arrived() -> bool:
            return KEY in [each.payload for each in target.media]

        await until(arrived)


async def test_a_target_that_is_away_is_dialled_less_and_less(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    class Impatient:
        """asyncio, whose pauses are only noted."""

        def __getattr__(self, name: str) -> object:
            return getattr(asyncio, name)

        async def sleep(self, seconds: float) -> None:
            pauses.append(seconds)
            await asyncio.sleep(0)

    monkeypatch.setattr(restream, "asyncio", Impatient())
    async with rtmp_target() as target:
        away = to(target)
    async with sending(relay, away):

        async def often() -> bool:
            return len(pauses) >= 8

        await until(often)
    for pause_s, least_s in zip(pauses, (1, 2, 4, 8, 16, 30, 30, 30), strict=False):
        assert least_s <= pause_s <= 1.25 * least_s


async def test_a_slow_target_loses_pictures_up_to_a_key_frame(relay: Relay) -> None:
    async with rtmp_target() as target, sending(relay, to(target)) as restreams:
        await is_in(restreams, "live")
        target.reading.clear()
        send(relay, 0, KEY)
        large = DELTA + bytes(1 << 19)
        for number in range(1, 60):
            send(relay, number, large)
        told: dict[str, Any] = restreams.told()[0]
        assert told["dropped_tags"] > 5
        assert told["sent_bytes"] < 59 << 19
        target.reading.set()

        async def caught_up() -> bool:
            send(relay, 100, DELTA)
            send(relay, 100, KEY)
            return any(each.payload == KEY for each in target.media[2:])

        await until(caught_up)
        resumed = [each.payload for each in target.media if each.payload != large]
        assert resumed[:3] == [CONFIG, KEY, KEY]  # no picture that needs a dropped one


async def test_a_slow_target_is_not_described_to_without_end(relay: Relay) -> None:
    async with rtmp_target() as target, sending(relay, to(target)) as restreams:
        await is_in(restreams, "live")
        target.reading.clear()
        words = {"encoder": "a" * 60_000}
        for number in range(1000):  # 60 MB
            relay.describe({**words, "number": float(number)})
        target.reading.set()

        async def heard_again() -> bool:
            relay.describe({"number": -1.0})
            return Metadata({"number": -1.0}) in target.events

        await until(heard_again, 30)
        heard = [each for each in target.events if isinstance(each, Metadata)]
        assert len([each for each in heard if "encoder" in each.values]) < 200


async def test_a_target_that_takes_nothing_is_given_up(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restream, "STALL_S", 0.0)
    monkeypatch.setattr(restream, "BACKLOG_BYTES", 1 << 16)
    async with rtmp_target() as target, sending(relay, to(target)) as restreams:
        await is_in(restreams, "live")
        target.reading.clear()
        send(relay, 0, KEY)
        for number in range(1, 40):
            send(relay, number, DELTA + bytes(1 << 19))
        told = await is_in(restreams, "waiting")
        assert told["reason"] == "the target does not take what it is sent"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("rtmp://127.0.0.1:1935/app", "not a public address"),
        ("rtmp://[::1]/app", "not a public address"),
        ("rtmp://1.1.1.1:25/app", "port 25 is not allowed"),
        ("rtmp://1.1.1.1:99999/app", "cannot be read"),
    ],
)
async def test_private_targets_are_refused_unless_allowed(
    relay: Relay, url: str, reason: str
) -> None:
    policy = OutboundPolicy(ports=RTMP_PORTS)
    async with sending(relay, Destination("x", url, "key"), policy=policy) as restreams:
        assert reason in (await is_in(restreams, "waiting"))["reason"]


async def test_what_does_not_speak_rtmp_is_told(relay: Relay) -> None:
    async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    url = f"rtmp://127.0.0.1:{server.sockets[0].getsockname()[1]}/app"
    async with sending(relay, Destination("x", url, "key")) as restreams:
        assert "RTMP version 83" in (await is_in(restreams, "waiting"))["reason"]
    server.close()


async def test_the_sandbox_sends_on_for_a_while_only(relay: Relay) -> None:
    restreams = Restreams("li1", relay, ALLOWED)
    await asyncio.wait_for(restreams.run(0.01), PATIENCE_S)
    assert restreams.told() == []
