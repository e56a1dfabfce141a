"""Webhooks: from an event to the first bytes at its receiver, while another receiver is dead.

A whole Telecine runs, with two receivers on this machine. Events are written one by one, each in
a transaction of its own as every change is; what is measured is from its commit to the arrival of
the request's first bytes. First with nothing else to do, then with events waiting for a receiver
that takes connections and never answers.
"""

import argparse
import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
from sqlalchemy import select, text

from measure import median, percentile
from serving import Telecine, folder, machine, serving
from telecine.db.engine import Database
from telecine.domains.accounts.models import ApiKey
from telecine.domains.webhooks import operations
from telecine.domains.webhooks.events import QUALITY_COMPLETED

ASKED_MS = 100
_PATIENCE_S = 60
_ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Receiver:
    """Takes requests; `arrivals` has when the first bytes of each came. A dead one only that."""

    def __init__(self, *, dead: bool) -> None:
        self.dead = dead
        self.arrivals: list[float] = []
        self.came = asyncio.Event()
        self.url = ""


class Connection(asyncio.Protocol):
    """A connection to a receiver: requests with a body of a told length, one after the other."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._received = b""
        self._arrived_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Note when a request begins, and answer it where it ends."""
        if not self._received:
            self._arrived_s = time.perf_counter()
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if not end or length is None or len(body) < int(length[1]):
            return
        self._received = b""
        self._receiver.arrivals.append(self._arrived_s)
        self._receiver.came.set()
        if not self._receiver.dead and isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(_ANSWER)


@contextlib.asynccontextmanager
async def receiving(*, dead: bool = False) -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver(dead=dead)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(receiver), "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield receiver
    finally:
        server.close()


async def announce(db: Database, project_id: UUID, media_id: str) -> float:
    """Write an event; return when it was committed."""
    async with db.transaction() as tx:
        members = {"videoId": media_id, "encoding": "hls", "quality": "720p"}
        await operations.announce(tx, project_id, QUALITY_COMPLETED, media_id, members)
    return time.perf_counter()


async def latencies_ms(
    db: Database, project_id: UUID, receiver: Receiver, events: int
) -> list[float]:
    """Return how long each of so many events takes, one after the other."""
    found = []
    for number in range(events):
        receiver.came.clear()
        committed_s = await announce(db, project_id, f"vi-{number}")
        async with asyncio.timeout(_PATIENCE_S):
            await receiver.came.wait()
        found.append((receiver.arrivals[-1] - committed_s) * 1000)
    return found


async def waiting(db: Database) -> int:
    """Return how many deliveries have not been accepted."""
    async with db.transaction() as tx:
        query = text("SELECT count(*) FROM delivery WHERE state = 'waiting'")
        return await tx.scalar(query) or 0


async def measure(telecine: Telecine, events: int, backlog: int) -> None:
    """Print what it takes without and with others that wait."""
    db = Database(telecine.database_url)
    client = httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""))

    def subscribe(receiver: Receiver) -> None:
        given = {"url": receiver.url, "events": [QUALITY_COMPLETED]}
        client.post("/webhooks", json=given).raise_for_status()

    async with receiving() as alive, receiving(dead=True) as dead:
        async with db.transaction() as tx:
            of_key = ApiKey.last_characters == telecine.key[-4:]
            project_id = (await tx.scalars(select(ApiKey.project_id).where(of_key))).one()
        subscribe(alive)
        await latencies_ms(db, project_id, alive, 10)
        alone_ms = await latencies_ms(db, project_id, alive, events)
        subscribe(dead)
        for number in range(backlog):
            await announce(db, project_id, f"vi-dead-{number}")
        for _ in range(10 * _PATIENCE_S):
            if len(alive.arrivals) >= 10 + events + backlog and await waiting(db) == backlog:
                break
            await asyncio.sleep(0.1)
        beside_ms = await latencies_ms(db, project_id, alive, events)
        left = await waiting(db)
    await db.close()
    for name, values in (("alone", alone_ms), (f"beside {left:,} that wait", beside_ms)):
        print(
            f"{name:24} median {median(values):6.1f} ms, 99 % {percentile(values, 0.99):6.1f} ms,"
            f" longest {max(values):6.1f} ms"
        )
    ratio = percentile(beside_ms, 0.99) / percentile(alone_ms, 0.99)
    print(f"99 %: {ratio:.2f} times that without a dead receiver; asked: {ASKED_MS} ms at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--backlog", type=int, default=1000)
    options = parser.parse_args()
    print(machine())
    settings = {"TELECINE_OUTBOUND_ALLOW": "127.0.0.1/32"}
    with folder() as data, serving(data, **settings) as telecine:
        asyncio.run(measure(telecine, options.events, options.backlog))


if __name__ == "__main__":
    main()
