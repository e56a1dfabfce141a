"""Tells webhooks what happened: in order for each media, for as long as it takes.

A receiver that is down, slow or hostile holds up nobody else: attempts at one time are
bounded for each host, and one attempt by `_LIMITS`.
"""

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from telecine import clock, ids
from telecine.db.engine import Database
from telecine.domains.webhooks import outbox, signing
from telecine.domains.webhooks.events import DeliveryState
from telecine.domains.webhooks.outbox import Claim, Outcome
from telecine.net.client import Limits, OutboundClient, Reply
from telecine.net.errors import OutboundError
from telecine.sealing import Sealer, SealError

log = structlog.get_logger()

_AT_ONCE = 64
_PER_HOST = 8
_ANSWER_BYTES = 2048
_LIMITS = Limits(total_s=10.0, connect_s=5.0, idle_s=10.0, body_bytes=1 << 62)
_LEASE = timedelta(seconds=30)

_QUICK_ATTEMPTS = 3
_QUICK_PAUSE_S = 3.0
_PAUSES_S = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0)

_LOOK_EVERY_S = 1.0
_LOOK_AGAIN_S = 0.02
_AFTER_AN_ERROR_S = 1.0


def pause_s(attempt: int) -> float:
    """Return how long to wait after a failed attempt, the first of which is 1.

    Three quick ones, as api.video made them; then longer and longer, up to 15 minutes.
    """
    if attempt <= _QUICK_ATTEMPTS:
        return _QUICK_PAUSE_S
    return _PAUSES_S[min(attempt - _QUICK_ATTEMPTS - 1, len(_PAUSES_S) - 1)]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a receiver answered, as far as we listened."""

    status: int | None
    answer: str | None
    error: str | None

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Deliverer:
    """Fans events out and delivers them. `wake` is to be called when there are some."""

    def __init__(self, db: Database, client: OutboundClient, sealer: Sealer) -> None:
        self._db = db
        self._client = client
        self._sealer = sealer
        self._owner = ids.nonce()
        self._wake = asyncio.Event()
        self._under_way: Counter[str] = Counter()

    def wake(self) -> None:
        """Look now: there are events, or deliveries that are due."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled. A broken attempt is made again by whoever comes first."""
        async with asyncio.TaskGroup() as attempts:
            while True:
                self._wake.clear()
                try:
                    wait_s = await self._round(attempts)
                except (SQLAlchemyError, OSError) as error:
                    log.warning("deliveries paused", reason=repr(error))
                    wait_s = _AFTER_AN_ERROR_S
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def _round(self, attempts: asyncio.TaskGroup) -> float:
        """Fan out and begin what is due; return after how many seconds to look again."""
        async with self._db.transaction() as tx:
            found = await outbox.fan_out(tx)
        free = _AT_ONCE - self._under_way.total()
        claims: list[Claim] = []
        if free > 0:
            async with self._db.transaction() as tx:
                claims = await outbox.claim(
                    tx, self._owner, _LEASE, self._under_way, per_host=_PER_HOST, limit=free
                )
        for claimed in claims:
            self._under_way[claimed.host] += 1
            attempts.create_task(self._attempt(claimed), name=f"webhook {claimed.webhook_id}")
        if found.moved:
            return 0.0
        if found.hidden:
            return _LOOK_AGAIN_S
        async with self._db.transaction() as tx:
            due_s = await outbox.next_due_s(tx)
        return _LOOK_EVERY_S if due_s is None else min(_LOOK_EVERY_S, max(0.0, due_s))

    async def _attempt(self, claimed: Claim) -> None:
        try:
            outcome = await self._outcome(claimed)
            async with self._db.transaction() as tx:
                await outbox.record(tx, self._owner, claimed, outcome)
        except (SQLAlchemyError, OSError) as error:
            # Not written down: the lease ends, and the receiver is told again.
            log.warning("delivery not recorded", delivery=str(claimed.delivery_id),
                        reason=repr(error))  # fmt: skip
        finally:
            self._under_way[claimed.host] -= 1
            if not self._under_way[claimed.host]:
                del self._under_way[claimed.host]
            self.wake()

    async def _outcome(self, claimed: Claim) -> Outcome:
        began_s = clock.monotonic_s()
        try:
            said = await self._send(claimed)
        except Exception as error:  # all others go on
            log.exception("webhook broke", delivery=str(claimed.delivery_id))
            said = _Said(None, None, f"{type(error).__name__} in the server")
        duration_ms = round((clock.monotonic_s() - began_s) * 1000)
        state, next_at = DeliveryState.DELIVERED, clock.now()
        if not said.accepted:
            next_at += timedelta(seconds=pause_s(claimed.attempt))
            over = next_at > claimed.give_up_at
            state = DeliveryState.FAILED if over else DeliveryState.WAITING
        log.info("webhook", webhook=claimed.webhook_id, delivery=str(claimed.delivery_id),
                 attempt=claimed.attempt, state=str(state), status=said.status,
                 reason=said.error, duration_ms=duration_ms)  # fmt: skip
        return Outcome(state, next_at, said.status, duration_ms, said.answer, said.error)

    async def _send(self, claimed: Claim) -> _Said:
        try:
            secret = self._sealer.open(claimed.secret, claimed.webhook_id)
        except SealError as error:
            return _Said(None, None, str(error))
        body = signing.body_of(claimed.payload)
        headers = signing.headers(
            *(claimed.webhook_id, claimed.delivery_id, claimed.event_id),
            secret=secret,
            body=body,
            unix_s=clock.unix_ms() // 1000,
        )
        status = answer = None
        try:
            async with self._client.stream(
                "POST", claimed.url, limits=_LIMITS, headers=headers, content=body
            ) as reply:
                status = reply.status
                answer = await _beginning(reply)
        except OutboundError as error:
            # With a status the receiver has had it, however its answer goes on.
            return _Said(status, answer, str(error))
        return _Said(status, answer, None)


async def _beginning(reply: Reply) -> str:
    """Return the first bytes of a body as text that the database can hold."""
    data = bytearray()
    async with aclosing(reply.chunks()) as chunks:
        async for chunk in chunks:
            data += chunk
            if len(data) >= _ANSWER_BYTES:
                break
    return bytes(data[:_ANSWER_BYTES]).decode(errors="replace").replace("\0", "\ufffd")
