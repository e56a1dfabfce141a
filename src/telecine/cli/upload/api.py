"""The API as an uploader needs it: one request, and what its answer means."""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from types import TracebackType
from typing import Any, Self

import httpx

from telecine import clock
from telecine.processes.exits import CannotGoOn, Exit

_TIMEOUT = httpx.Timeout(30, read=300, write=120, pool=None)
"""Behind the last byte of a part, the server waits for its disk."""

_SOON_DIFFERENT = {408, 409, 425, 429}
"""Refusals that say nothing about the request itself; so do all of 500 and above."""


class Refused(CannotGoOn):
    """The server does not do what was asked, and will not either the next time."""

    def __init__(self, code: int, slug: str, message: str) -> None:
        super().__init__(Exit.FAILED, message)
        self.code = code
        self.slug = slug


class NotNow(Exception):
    """There was no answer (not `reached`), or one that may be another soon."""

    def __init__(self, reason: str, *, after_s: float | None = None, reached: bool = True) -> None:
        super().__init__(reason)
        self.after_s = after_s
        self.reached = reached


@dataclass(frozen=True, slots=True)
class Video:
    """A video of the server, and where it is shown."""

    video_id: str
    title: str
    player: str
    hls: str
    mp4: str | None

    @classmethod
    def from_json(cls, document: Any) -> "Video":  # noqa: ANN401 - whatever was answered
        """Return what an answer tells. Raises CannotGoOn if that is no video."""
        try:
            assets = document["assets"]
            return cls(
                document["videoId"],
                document["title"],
                assets["player"],
                assets["hls"],
                assets.get("mp4"),
            )
        except (KeyError, TypeError, AttributeError) as error:
            msg = "The server answers, but not with a video. Is it a Telecine?"
            raise CannotGoOn(Exit.FAILED, msg) from error


class Api:
    """The API at one address, with a key or an upload token."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        token: str | None = None,
        operator_key: str | None = None,
        connections: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.token = token
        self._operator_key = operator_key
        limits = httpx.Limits(max_connections=connections + 2)
        try:
            self._client = httpx.AsyncClient(
                base_url=self.base_url,
                auth=None if key is None else (key, ""),
                timeout=_TIMEOUT,
                limits=limits,
                transport=transport,
                trust_env=False,  # a proxy would see the key
            )
        except httpx.InvalidURL as error:
            raise CannotGoOn(Exit.USAGE, f"{base_url} is no URL: {error}.") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def ask(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a successful answer.

        Raises:
            NotNow: it is worth trying again.
            Refused: it is not.
        """
        try:
            reply = await self._client.request(method, path, **options)
        except httpx.TransportError as error:
            words = str(error) or type(error).__name__
            reason = f"There is no server at {self.base_url}: {words}."
            raise NotNow(reason, reached=False) from error
        if reply.status_code in _SOON_DIFFERENT or reply.status_code >= 500:
            raise NotNow(sentence(reply), after_s=_retry_after_s(reply.headers))
        if not reply.is_success:
            raise Refused(reply.status_code, _slug(reply), sentence(reply))
        try:
            return reply.json()
        except ValueError as error:
            msg = f"{self.base_url} answers, but not in JSON. Is it a Telecine?"
            raise CannotGoOn(Exit.FAILED, msg) from error

    async def create(self, document: Mapping[str, Any], idempotency_key: str) -> Video:
        """Create a video, at most once for each `idempotency_key`. Raises like `ask`."""
        headers = {"Idempotency-Key": idempotency_key}
        return Video.from_json(await self.ask("POST", "/videos", json=document, headers=headers))

    async def video(self, video_id: str) -> Video:
        """Return a video. Raises like `ask`."""
        return Video.from_json(await self.ask("GET", f"/videos/{video_id}"))

    async def status(self, video_id: str) -> Any:  # noqa: ANN401 - JSON
        """Return the status of a video. Raises like `ask`."""
        return await self.ask("GET", f"/videos/{video_id}/status")

    async def failure(self, video_id: str) -> str | None:
        """Return why a video failed, as the operator is told it; None if nobody knows.

        For whoever has the operator's key. Raises NotNow.
        """
        if self._operator_key is None:
            return None
        headers = {"Authorization": f"Bearer {self._operator_key}"}
        try:
            work = await self.ask("GET", f"/_/videos/{video_id}/jobs", auth=None, headers=headers)
        except Refused:
            return None  # the key is another server's
        return work.get("failure") or None

    async def has_manifest(self, url: str) -> bool:
        """Tell whether a video plays, as its viewers see it. Raises NotNow, Refused."""
        try:
            reply = await self._client.get(url, auth=None)
        except httpx.TransportError as error:
            raise NotNow(f"There is no answer from {url}.", reached=False) from error
        if reply.status_code >= 500:
            raise NotNow(sentence(reply), after_s=_retry_after_s(reply.headers))
        if reply.is_error:
            raise Refused(reply.status_code, _slug(reply), sentence(reply))
        return reply.status_code == 200


def sentence(reply: httpx.Response) -> str:
    """Return what an answer that is no success says, as one sentence for a person."""
    if reply.is_redirect:
        target = reply.headers.get("location", "another place")
        return f"The server sends us to {target}: give that address with --server."
    problem = _problem(reply)
    title = str(problem.get("title") or f"The server answered {reply.status_code}").rstrip(".")
    name, detail = problem.get("name"), str(problem.get("detail") or "").rstrip(".")
    if name and name != "file":
        title += f" ({name})"
    if not detail:
        return f"{title}."
    return f"{title}: {detail[0].lower() + detail[1:]}."


def _problem(reply: httpx.Response) -> dict[str, Any]:
    try:
        problem = reply.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _slug(reply: httpx.Response) -> str:
    return str(_problem(reply).get("type") or "").rpartition("/")[2]


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Return how long to wait: seconds or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - clock.now()).total_seconds())
