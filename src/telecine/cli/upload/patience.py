"""Trying again: how often, how long."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import TypeVar

from telecine import ids
from telecine.cli.upload.api import NotNow
from telecine.processes.exits import CannotGoOn, Exit

_FIRST_S = 0.5
_LONGEST_S = 30.0

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]


class Patience:
    """Repeats what fails for a while: `limit_s` seconds of waiting for each request.

    A server that has never answered is not waited for: its address may be wrong.
    """

    def __init__(
        self, limit_s: float, note: Callable[[str], None], pause: Pause = asyncio.sleep
    ) -> None:
        self.limit_s = limit_s
        self._note = note
        self._pause = pause
        self._reached = False
        self._noted = ""

    async def insist(self, attempt: Callable[[int], Awaitable[T]]) -> T:
        """Return what `attempt` returns, which is given the number of failures before it.

        Raises:
            CannotGoOn: the patience is over, or the attempt's own.
        """
        waited_s = 0.0
        for failures in itertools.count():
            try:
                result = await attempt(failures)
            except NotNow as trouble:
                waited_s += await self._bear(trouble, failures, waited_s)
            else:
                self._reached = True
                self._noted = ""
                return result
        raise AssertionError  # counting does not end

    async def _bear(self, trouble: NotNow, failures: int, waited_s: float) -> float:
        """Wait, and return how long."""
        self._reached = self._reached or trouble.reached
        status = Exit.FAILED if trouble.reached else Exit.SERVER_UNREACHABLE
        if not self._reached:
            raise CannotGoOn(status, f"{trouble} Is it running?") from trouble
        delay_s = _delay_s(failures) if trouble.after_s is None else trouble.after_s
        if waited_s + delay_s > self.limit_s:
            msg = f"{trouble} Given up after {waited_s:.0f} s of waiting."
            raise CannotGoOn(status, msg) from trouble
        if self._noted != str(trouble):
            self._noted = str(trouble)
            self._note(f"{trouble} Trying again.")
        await self._pause(delay_s)
        return delay_s


def _delay_s(failures: int) -> float:
    """Return twice as long each time, up to a quarter less by chance.

    Otherwise all clients would return at the same moment after a server's restart.
    """
    longest_s = min(_LONGEST_S, _FIRST_S * 2.0 ** min(failures, 10))
    return longest_s * (1 - ids.random_bytes(1)[0] / 1024)
