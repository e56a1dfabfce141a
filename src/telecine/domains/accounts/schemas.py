"""What goes over the wire in `/auth` and in the operator's part on projects."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from telecine.domains.accounts.models import Environment
from telecine.http.schemas import Pagination, Wire
from telecine.http.text import NO_NUL

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True), NO_NUL
]


class AuthenticatePayload(Wire):
    """An API key, to be exchanged for tokens."""

    api_key: str


class RefreshPayload(Wire):
    """A refresh token, to be exchanged for new tokens."""

    refresh_token: str


class AccessToken(BaseModel):
    """Tokens; the access token goes into `Authorization: Bearer`."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  (a scheme, no secret)
    expires_in: int = Field(description="Seconds for which the access token is valid.")
    access_token: str
    refresh_token: str


class ProjectCreation(Wire):
    """A new project."""

    name: Name


class ProjectUpdate(Wire):
    """Changes of a project; absent members stay as they are."""

    name: Name | None = None
    suspended: bool | None = Field(
        default=None, strict=True, description="A suspended project answers 403 to every call."
    )


class ProjectDocument(Wire):
    """A project; each has a production and a sandbox environment."""

    project_id: str
    name: str
    suspended: bool
    created_at: datetime


class ProjectList(Wire):
    """A page of projects."""

    data: list[ProjectDocument]
    pagination: Pagination


class KeyCreation(Wire):
    """A new API key."""

    name: Name = "API key"
    environment: Environment = Environment.PRODUCTION


class KeyDocument(Wire):
    """An API key, by which it can be recognised but not used."""

    api_key_id: str
    name: str
    environment: Environment
    last_characters: str
    created_at: datetime
    revoked_at: datetime | None


class NewKeyDocument(KeyDocument):
    """A key that was just made: the only time that it is shown."""

    api_key: str


class KeyList(Wire):
    """All keys of a project, revoked ones too."""

    data: list[KeyDocument]


class SigningKeyDocument(Wire):
    """A key with which a customer's server signs URLs, without its secret."""

    signing_key_id: str
    name: str
    environment: Environment
    created_at: datetime


class NewSigningKeyDocument(SigningKeyDocument):
    """A signing key that was just made: the only time that its secret is shown."""

    secret: str


class SigningKeyList(Wire):
    """All signing keys of a project."""

    data: list[SigningKeyDocument]


PerMinute = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]


class RateLimitSettings(Wire):
    """Requests a minute in each class; null: no limit."""

    reads: PerMinute | None = None
    writes: PerMinute | None = None
    uploads: PerMinute | None = None


Host = Annotated[
    str,
    StringConstraints(
        max_length=253, pattern=r"^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$", to_lower=True
    ),
]
Country = Annotated[str, StringConstraints(pattern="^[A-Za-z]{2}$", to_upper=True)]


class SettingsDocument(Wire):
    """The settings of a project; null: the default of the installation."""

    hls_format: Literal["cmaf", "ts"] | None = Field(
        default=None, description="What `manifest.m3u8` lists: CMAF or MPEG-TS segments."
    )
    rate_limits: RateLimitSettings | None = None
    video_restore: Annotated[bool, Field(strict=True)] | None = Field(
        default=None,
        description="Whether deleted videos are discarded first: they can be restored for as long "
        "as the installation keeps them, 90 days by default.",
    )
    storage_quota_bytes: Annotated[int, Field(ge=0, strict=True)] | None = Field(
        default=None, description="What the sources of all videos may have together, in bytes."
    )
    quota_minutes: Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)] | None = Field(
        default=None,
        description="What `GET /account` tells as the quota, in minutes of video; nothing is "
        "refused because of it. Null: there is none.",
    )
    allowed_referrers: Annotated[list[Host], Field(max_length=1000)] | None = Field(
        default=None,
        description="Hosts of the sites that may show the media, each subdomain by itself; "
        "null: all may.",
    )
    allow_empty_referrer: Annotated[bool, Field(strict=True)] | None = Field(
        default=None,
        description="Whether requests that do not tell their site pass the list of sites, "
        "as those of apps and native players.",
    )
    allowed_countries: Annotated[list[Country], Field(max_length=300)] | None = Field(
        default=None,
        description="ISO 3166 codes of the countries from which media may be watched; null: all. "
        "Needs `TELECINE_GEOIP_DATABASE`.",
    )
    allow_unknown_country: Annotated[bool, Field(strict=True)] | None = Field(
        default=None,
        description="Whether viewers whose country is unknown pass the list of countries.",
    )
    max_webhooks: Annotated[int, Field(ge=0, le=10_000, strict=True)] | None = Field(
        default=None, description="How many webhooks there may be; 10 by default."
    )


class RunningJobDocument(Wire):
    """A job that a worker does now."""

    name: str
    lane: str
    attempt: int
    args: dict[str, str | int]
    started_at: datetime | None


class WorkerDocument(Wire):
    """A worker process, as it said itself at its last sign of life."""

    id: UUID
    host: str
    pid: int
    version: str
    alive: bool
    started_at: datetime
    seen_at: datetime
    slots: dict[str, int] = Field(description="How many jobs it does at a time, by lane.")
    free_bytes: int | None = Field(description="Room on the disk of its data folder.")
    jobs: list[RunningJobDocument]


class SystemDocument(Wire):
    """The state of the installation. `version` is that of the process that answers."""

    version: str
    schema_revision: str | None
    schema_release: int | None
    database_version: str
    storage_free_bytes: int | None
    disk_reserve_bytes: int
    public_urls: dict[str, str]
    workers: list[WorkerDocument]
