"""When a child that died is started again. Pure: the caller brings the time."""

from collections import deque

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
STEADY_S = 10.0
"""A child that lived this long has recovered: its next death is the first again."""

DEATHS = 5
WINDOW_S = 60.0


class Restarts:
    """Counts the deaths of one child; waits double from 0.1 s to 5 s."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._delay_s = 0.0

    def delay_s(self, started_s: float, died_s: float) -> float | None:
        """Return how long to wait before the next start.

        None: it died 5 times within 60 s, which restarting will not cure.
        """
        self._deaths.append(died_s)
        if len(self._deaths) == DEATHS and died_s - self._deaths[0] <= WINDOW_S:
            return None
        if died_s - started_s >= STEADY_S or self._delay_s == 0:
            self._delay_s = FIRST_DELAY_S
        else:
            self._delay_s = min(self._delay_s * 2, LONGEST_DELAY_S)
        return self._delay_s
