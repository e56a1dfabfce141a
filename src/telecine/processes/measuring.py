"""What the processes measure; the supervisor serves the sum of all (`metrics`)."""

import asyncio

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telecine import clock
from telecine.db.engine import Database
from telecine.delivery import app as delivery
from telecine.jobs.health import backlog

REQUESTS = Counter(
    "telecine_http_requests",
    "Requests by method, route and status (0: the client left before an answer).",
    ["method", "route", "status"],
)
SECONDS = Histogram(
    "telecine_http_seconds",
    "Seconds from a request's headers to the end of its answer.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
JOBS = Gauge(
    "telecine_jobs",
    "Jobs that wait or run.",
    ["lane", "state"],
    multiprocess_mode="mostrecent",
)

SWEPT = Counter("telecine_swept", "What sweeps have removed, by sweep.", ["sweep"])

MEDIA = "media"
PLAIN = frozenset({"/healthz", "/readyz", "/vod", "/live", "/watch", "/oembed"})
"""Paths without parameters of routes that are none of the API's: health, what players tell."""

UNKNOWN = "unknown"
_NOTED_EVERY_S = 0.25
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """Counts the requests of an application and times them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started_s = clock.monotonic_s()
        try:
            await self._app(scope, receive, watched)
        finally:
            route = route_of(scope)
            # Any word may stand for a method; labels must not grow with them.
            method = scope["method"] if scope["method"] in _METHODS else UNKNOWN
            REQUESTS.labels(method, route, str(status)).inc()
            SECONDS.labels(route).observe(clock.monotonic_s() - started_s)


class AnswersAtOnce:
    """Counts answers of media that the application is not asked for, all of a moment at once.

    To note one by one costs a quarter of what they cost. They are not timed.
    """

    def __init__(self, method: str = "GET", route: str = MEDIA, status: str = "200") -> None:
        self._count = REQUESTS.labels(method, route, status)
        self._answers = 0

    def note(self) -> None:
        """Count one more."""
        if not self._answers:
            asyncio.get_running_loop().call_later(_NOTED_EVERY_S, self._add)
        self._answers += 1

    def _add(self) -> None:
        self._count.inc(self._answers)
        self._answers = 0


class PostsAtOnce:
    """Counts posts that the application is not asked for, all of a moment at once."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], AnswersAtOnce] = {}

    def note(self, path: str, status: int) -> None:
        """Count one more; `path` is a route."""
        counted = self._counts.get((path, status))
        if counted is None:
            counted = self._counts[path, status] = AnswersAtOnce("POST", path, str(status))
        counted.note()


def route_of(scope: Scope) -> str:
    """Return the template of the route that served a request, never its path."""
    if scope["path"].startswith(delivery.PREFIX):
        return MEDIA
    if scope["path"] in PLAIN:
        return str(scope["path"])
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else UNKNOWN


class Backlog:
    """Remembers which lanes it has told of, to tell when they are empty."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._told: set[tuple[str, str]] = set()

    async def measure(self) -> None:
        """Count the jobs of each lane."""
        async with self._db.transaction() as tx:
            counted = await backlog(tx)
        for key in self._told - counted.keys():
            JOBS.labels(*key).set(0)
        for key, jobs in counted.items():
            JOBS.labels(*key).set(jobs)
        self._told |= counted.keys()
