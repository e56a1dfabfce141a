"""Pings wait here for less than a second, to be stored many at a time."""

import asyncio
from dataclasses import dataclass

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from telecine.domains.analytics import agents
from telecine.domains.analytics.reports import Report
from telecine.domains.analytics.store.writes import AnalyticsStore, Arrival

log = structlog.get_logger()

FLUSH_EVERY_S = 0.3
"""What a killed process loses at most, give or take the time of a flush."""

_OUTAGES = (OperationalError, InterfaceError, PoolTimeout, OSError)

CAPACITY = 50_000
"""Pings that wait while the database does not answer; then new ones are dropped."""

BATCH = 1000

EVENTS = Counter(
    "telecine_player_events",
    "Events of players' pings by what became of them.",
    ["result"],
)

CLIENT_DATA = Counter(
    "telecine_client_data",
    "Requests for media with CMCD by what became of it; `invalid_value`: of one that was taken.",
    ["result"],
)

STORED, INVALID, UNKNOWN_MEDIA, DROPPED = "stored", "invalid", "unknown_media", "dropped"
TAKEN, INVALID_VALUE, LIMITED = "taken", "invalid_value", "limited"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a ping: a hash of the day, and what the player runs on."""

    viewer: bytes
    user_agent: str
    country: str | None = None
    continent: str | None = None
    city: str | None = None


class Buffer:
    """Takes pings without waiting, and stores them while `run` runs."""

    def __init__(self, store: AnalyticsStore) -> None:
        self._store = store
        self._waiting: list[tuple[Report, Sender]] = []
        self._flushing = asyncio.Lock()

    def add(self, report: Report, sender: Sender) -> None:
        """Have a ping stored soon."""
        full = len(self._waiting) >= CAPACITY
        if report.samples:
            CLIENT_DATA.labels(INVALID_VALUE).inc(report.dropped)
            CLIENT_DATA.labels(DROPPED if full else TAKEN).inc()
        else:
            EVENTS.labels(INVALID).inc(report.dropped)
            if full:
                EVENTS.labels(DROPPED).inc(len(report.events))
        if full:
            return
        self._waiting.append((report, sender))

    async def run(self) -> None:
        """Store what waits, several times a second; when it is cancelled, once more."""
        try:
            while True:
                await asyncio.sleep(FLUSH_EVERY_S)
                # A statement that is cut off while it is sent takes its connection with it; what
                # is being stored is waited for by the last time.
                await asyncio.shield(self._try())
        finally:
            await asyncio.shield(self._try())

    async def _try(self) -> None:
        try:
            await self.flush()
        except _OUTAGES as error:
            log.warning("analytics.not_stored", waiting=len(self._waiting), reason=str(error))
        except (SQLAlchemyError, ValueError, OverflowError):
            # What cannot be stored must not keep from it what comes behind.
            log.exception("analytics.dropped")
            EVENTS.labels(DROPPED).inc(sum(len(each.events) for each, _ in self._waiting[:BATCH]))
            del self._waiting[:BATCH]

    async def flush(self) -> None:
        """Store what waits; what the database refuses to take at the moment goes on waiting."""
        async with self._flushing:
            while self._waiting:
                batch = self._waiting[:BATCH]
                arrivals = await _described(batch)
                stored, unknown = await self._store.add(arrivals)
                del self._waiting[: len(batch)]
                EVENTS.labels(STORED).inc(stored)
                EVENTS.labels(UNKNOWN_MEDIA).inc(unknown)


async def _described(batch: list[tuple[Report, Sender]]) -> list[Arrival]:
    wanted = {sender.user_agent for _, sender in batch}
    known = {each: found for each in wanted if (found := agents.known(each)) is not None}
    if fresh := wanted - known.keys():
        # In a thread: whatever is new is matched against a thousand rules.
        known |= await asyncio.to_thread(lambda: {each: agents.describe(each) for each in fresh})
    return [
        Arrival(
            report,
            sender.viewer,
            known[sender.user_agent],
            sender.country,
            sender.continent,
            sender.city,
        )
        for report, sender in batch
    ]
