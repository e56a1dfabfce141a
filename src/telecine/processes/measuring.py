"""What the processes measure; the supervisor serves the sum of all (`metrics`)."""

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telecine import clock
from telecine.db.engine import Database
from telecine.delivery import app as delivery
from telecine.http.at_once import Answer, Shortcut
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


def measured(shortcut: Shortcut) -> Shortcut:
    """Return a shortcut to media whose answers are counted and timed as those of the rest."""
    count, seconds = REQUESTS.labels("GET", MEDIA, "200"), SECONDS.labels(MEDIA)

    def counted(target: bytes, room: memoryview) -> Answer | None:
        started_s = clock.monotonic_s()
        answer = shortcut(target, room)
        if answer is not None:
            count.inc()
            seconds.observe(clock.monotonic_s() - started_s)
        return answer

    return counted


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
