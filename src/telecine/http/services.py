"""What request handlers need from their process: built once, passed in, never global."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Literal, cast

from fastapi import Depends, Request

from telecine.db.engine import Database
from telecine.http.caller import Identity
from telecine.http.ratelimit import RateLimiter, RateLimits
from telecine.http.recent import Recent
from telecine.net.countries import Countries
from telecine.net.policy import OutboundPolicy
from telecine.sealing import Sealer
from telecine.storage.store import Store

IDENTITY_TTL_S = 1.0
"""A revoked key or a changed setting acts in every process within this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicUrls:
    """Bases of the URLs that we hand out: scheme and host, no slash at the end."""

    api: str
    embed: str
    vod: str
    live: str
    collector: str

    @classmethod
    def at(cls, base: str) -> "PublicUrls":
        """Return the URLs of an installation with a single public base."""
        base = base.rstrip("/")
        return cls(api=base, embed=base, vod=base, live=base, collector=base)

    def as_json(self) -> dict[str, str]:
        """Return the bases by name."""
        return asdict(self)


IngestProtocol = Literal["rtmp", "rtmps", "srt"]
"""What encoders speak."""

LiveStatus = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Tells how the event of a live stream is doing (`telecine.live.edge.Edge.status`)."""


async def _off_the_air(_: str) -> Mapping[str, Any]:
    return {"on_air": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The state of an application. `rate_limits` are the defaults by environment.

    `token_key` signs the tokens of private media (32 bytes); `sealer` encrypts secrets that
    are shown again; `countries` knows where viewers are; `outbound` says whom we may ask;
    `disk_reserve_bytes` are left free by uploads; `analytics_days` is how long it is kept what
    viewers watched; `discarded_kept` is how long a deleted video can be restored;
    `upload_lifetime` how long an upload by tus may take, None: any time;
    `operator_digest` is the SHA-256 of the operator key, None where the operator API is
    closed. `ingest` has the URLs that encoders publish to, by protocol. `transcripts` and
    `summaries`: whether there are commands that make them.
    """

    db: Database
    store: Store
    urls: PublicUrls
    token_key: bytes
    sealer: Sealer
    countries: Countries = field(default_factory=Countries)
    outbound: OutboundPolicy = field(default_factory=OutboundPolicy)
    disk_reserve_bytes: int = 0
    analytics_days: int = 30
    discarded_kept: timedelta = timedelta(days=90)
    upload_lifetime: timedelta | None = timedelta(days=7)
    live_status: LiveStatus = _off_the_air
    ingest: Mapping[IngestProtocol, str] = field(default_factory=dict)
    operator_digest: bytes | None = None
    transcripts: bool = False
    summaries: bool = False
    rate_limits: Mapping[str, RateLimits] = field(default_factory=dict)
    limiter: RateLimiter = field(default_factory=RateLimiter)
    identities: Recent[bytes, Identity] = field(
        default_factory=lambda: Recent(IDENTITY_TTL_S, max_entries=10_000)
    )


async def services_of(request: Request) -> Services:
    """Return the services of the application that received `request`.

    A coroutine, as FastAPI sends what is none to a thread: that had cost a fifth of a list.
    """
    return cast("Services", request.app.state.services)


AppServices = Annotated[Services, Depends(services_of)]
