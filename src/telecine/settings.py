"""Every setting of Telecine: flag, environment, `.env`, `telecine.toml`, default, in this order.

Names are `TELECINE_<FIELD>` in the environment (`__` enters a group) and `<field>` in
`telecine.toml`. Secrets may come from a file: `TELECINE_<FIELD>_FILE=/path`.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic import model_validator as validates_model
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from telecine.domains.words.command_settings import CommandSettings
from telecine.http.rate_settings import RateLimitsSettings
from telecine.live.ingest_settings import IngestSettings
from telecine.net.policy import OutboundPolicy
from telecine.pipeline.encoding_settings import EncodingSettings

PREFIX = "TELECINE_"
ENV_FILE = ".env"
TOML_FILE = "telecine.toml"

OTHER_NAMES = frozenset({"TELECINE_DEV", "TELECINE_REQUIRE_ALL", "TELECINE_SKIP_WEB"})
"""Names with our prefix that are others': the bootstrap's, the build hook's, the tests'."""

Height = Annotated[int, Field(ge=64, le=2160, multiple_of=2)]

_WILDCARD_HOSTS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound


class SettingsError(Exception):
    """The settings are wrong; the message names each one and what it wants."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


class Settings(IngestSettings, EncodingSettings, CommandSettings, BaseSettings):
    """The effective settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        env_file=ENV_FILE,
        dotenv_filtering="only_existing",
        toml_file=TOML_FILE,
        extra="forbid",
    )

    data: Path = Field(
        default=Path("telecine-data"),
        description="Folder of everything that this machine keeps: database, media, keys.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the HTTP port listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="HTTP port; 0 takes a free one.")
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="database_url",
        description="PostgreSQL 16 or newer; empty: the embedded server. Has no prefix.",
    )
    storage: str = Field(
        default="",
        description="Where media is kept: file:///path or s3://bucket/prefix; "
        "empty: the folder `media` in the data folder.",
    )
    public_url: str = Field(
        default="", description="Base of the URLs handed out; empty: http://<host>:<port>."
    )
    api_url: str = Field(default="", description="Base of API URLs; empty: the public URL.")
    embed_url: str = Field(default="", description="Base of player pages; empty: the public URL.")
    vod_url: str = Field(default="", description="Base of media URLs; empty: the public URL.")
    live_url: str = Field(default="", description="Base of live URLs; empty: the public URL.")
    collector_url: str = Field(
        default="", description="Base of the analytics collector; empty: the public URL."
    )
    api_key: SecretStr | None = Field(None, description="Production key that first start makes.")
    api_key_sandbox: SecretStr | None = Field(None, description="Sandbox key, likewise.")
    operator_key: SecretStr | None = Field(
        default=None,
        description="Key of the operator API (`/_/`); empty: `operator.key` in the data folder.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Signs tokens, encrypts stored secrets; empty: `secret.key` in the data "
        "folder. The same on every node.",
    )
    previous_secret_key: SecretStr | None = Field(
        default=None,
        description="The secret key before this one, while secrets encrypted with it are left.",
    )
    api_processes: int = Field(
        default_factory=usable_cores, ge=1, le=256, description="API processes; default: cores."
    )
    worker_processes: int = Field(1, ge=0, le=256, description="Worker processes; 0: none here.")
    encode_slots: int = Field(
        default_factory=usable_cores,
        ge=1,
        le=256,
        description="Background encodes at a time in one worker process; default: cores.",
    )
    viewer_slots: int = Field(
        default_factory=lambda: max(1, usable_cores() // 2),
        ge=1,
        le=256,
        description="Encodes at a time, on one machine, of segments that viewers wait for; "
        "default: half the cores.",
    )
    live_processes: int = Field(1, ge=0, le=1, description="Processes of live streams: 0 or 1.")
    live_part_ms: int = Field(
        200, ge=100, le=1000, description="Milliseconds that viewers of live streams get at once."
    )
    live_ladder: Annotated[tuple[Height, ...], NoDecode] = Field(
        default_factory=lambda: (720, 480, 360) if usable_cores() >= 4 else (),
        description="Heights to which live streams are transcoded as well, by comma, where they "
        "are lower than the encoder's; `off`: none. Default: 720,480,360 with four cores or more.",
    )
    live_rewind_s: int = Field(
        3600, ge=30, le=43200, description="Seconds that viewers can go back in a live stream."
    )
    live_grace_s: int = Field(
        60, ge=1, le=600, description="Seconds that a live event waits for its encoder to be back."
    )
    sandbox: Literal["required", "off"] = Field(
        default="required",
        description="Whether media work is refused where the kernel offers no sandbox.",
    )
    ffmpeg: Path | None = Field(
        default=None, description="The ffmpeg to use; empty: the one that was installed with us."
    )
    rate_limit: RateLimitsSettings = Field(
        default_factory=RateLimitsSettings,
        description="Requests a minute by environment and class, such as "
        "TELECINE_RATE_LIMIT__SANDBOX__UPLOADS=40; empty: no limit.",
    )
    ping_limit: int | None = Field(
        None, ge=1, description="Pings a minute of one address, for each process; empty: no limit."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Addresses or networks whose X-Forwarded-* headers count, by comma.",
    )
    geoip_database: Path | None = Field(
        default=None,
        description="MMDB file with the countries of addresses, such as GeoLite2-Country.mmdb; "
        "lists of countries need it, sessions tell of its cities too. Read again when it is "
        "replaced.",
    )
    outbound_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Private networks and hosts that sources, webhooks and restreams may be on, "
        "by comma, such as 10.0.0.0/8, nas.lan or *.corp.example; public ones need no mention.",
    )
    outbound_proxy: SecretStr | None = Field(
        default=None,
        description="HTTP proxy of all requests to other servers, such as "
        "http://proxy.lan:3128; it must keep them off private networks itself.",
    )
    allow_hls_sources: bool = Field(
        default=False,
        description="Whether the source of a video may be an HLS playlist that has ended: its "
        "segments are downloaded and put together.",
    )
    metrics_port: int = Field(9464, ge=0, le=65535, description="Prometheus on 127.0.0.1; 0: off.")
    disk_reserve_mib: int = Field(
        default=256,
        ge=0,
        description="MiB of disk below which we store nothing, are not ready and do not start.",
    )
    keep_uploads_days: int = Field(
        default=7,
        ge=0,
        description="Days for which an upload that nobody continues is kept, and one by tus "
        "may take; 0: for ever.",
    )
    keep_empty_videos_days: int = Field(
        default=7,
        ge=0,
        description="Days after its last change for which a video without a file is kept; "
        "0: for ever.",
    )
    keep_discarded_videos_days: int = Field(
        default=90,
        ge=1,
        description="Days for which a deleted video can be restored, where a project wants that; "
        "counts for what is deleted from then on.",
    )
    keep_sandbox_videos_h: int = Field(24, ge=1, description="Hours that sandbox videos are kept.")
    keep_events_days: int = Field(
        default=30,
        ge=4,  # a receiver may be away for three
        description="Days for which events and the log of deliveries are kept.",
    )
    keep_jobs_days: int = Field(7, ge=1, description="Days for which jobs that failed are kept.")
    keep_old_encodings_h: int = Field(
        default=24,
        ge=1,
        description="Hours for which a replaced encoding of a video is kept for its viewers.",
    )
    keep_unfinished_h: int = Field(
        default=24,
        ge=1,
        description="Hours after which what a killed process was writing is dropped, and "
        "after which local copies of sources that nobody used are.",
    )
    keep_analytics_days: int = Field(
        30, ge=1, description="Days for which it is kept what viewers watched; sandbox: one day."
    )
    keep_orphans_h: int = Field(
        1, ge=1, description="Hours for which objects without a row in the database are left."
    )
    sweep_orphans_every_h: int = Field(6, ge=1, description="Hours between two looks for them.")
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="Log lines; auto: console on a terminal, JSON otherwise."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important lines to log."
    )

    @field_validator("trusted_proxies", "outbound_allow", "live_ladder", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            parts = () if value == "off" else value.split(",")
            return tuple(part.strip() for part in parts if part.strip())
        return value

    @field_validator(
        "public_url", "api_url", "embed_url", "vod_url", "live_url", "collector_url", mode="after"
    )
    @classmethod
    def _base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.netloc):
            raise ValueError("must be like https://video.example.com")
        return value.rstrip("/")

    @field_validator("outbound_allow", mode="after")
    @classmethod
    def _networks_or_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        OutboundPolicy.of(value)
        return value

    @field_validator("outbound_proxy", mode="after")
    @classmethod
    def _http_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            OutboundPolicy.of((), proxy=value.get_secret_value())
        return value

    @field_validator("database_url", mode="after")
    @classmethod
    def _plain_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        scheme, _, rest = value.get_secret_value().partition("://")
        if scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
            raise ValueError("must be like postgresql://user:password@host/database")
        return SecretStr(f"postgresql://{rest}")

    @field_validator(
        *("api_key", "api_key_sandbox", "operator_key", "secret_key", "previous_secret_key"),
        mode="after",
    )
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 20:
            raise ValueError("must have 20 characters or more")
        return value

    @validates_model(mode="after")
    def _fill_in(self) -> Self:
        """Resolve the defaults that follow from other settings; they do not count as set."""
        chosen = self.model_fields_set.copy()
        if (self.rtmps_certificate is None) != (self.rtmps_key is None):
            raise ValueError("TELECINE_RTMPS_CERTIFICATE and TELECINE_RTMPS_KEY need each other")
        self.data = self.data.expanduser().absolute()
        if not self.storage:
            self.storage = (self.data / "media").as_uri()
        if not self.public_url:
            host = "127.0.0.1" if self.host in _WILDCARD_HOSTS else self.host
            self.public_url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        for name in ("api_url", "embed_url", "vod_url", "live_url", "collector_url"):
            if not getattr(self, name):
                setattr(self, name, self.public_url)
        self.__pydantic_fields_set__ = chosen
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give the order of precedence, first wins."""
        del file_secret_settings  # a folder of secrets; ours are single files
        return (
            init_settings,
            env_settings,
            _SecretFiles(settings_cls, os.environ),
            dotenv_settings,
            _SecretFiles(settings_cls, _dotenv()),
            TomlConfigSettingsSource(settings_cls),
        )


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads secrets from the files that `<NAME>_FILE` name."""

    def __init__(self, settings_cls: type[BaseSettings], names: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._names = names

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the secret of one field, None if no file is named."""
        variable = environment_name(field_name) + "_FILE"
        path = self._names.get(variable) if _is_secret(field) else None
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text().strip(), field_name, False
        except OSError as error:
            raise SettingsError(f"{variable}: {error}") from error

    def __call__(self) -> dict[str, Any]:
        """Return all secrets that come from files."""
        fields = self.settings_cls.model_fields.items()
        found = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in found.items() if value is not None}


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in getattr(field.annotation, "__args__", ())


def environment_name(field_name: str) -> str:
    """Return the environment variable of a field."""
    return "DATABASE_URL" if field_name == "database_url" else PREFIX + field_name.upper()


def load(**flags: object) -> Settings:
    """Read the settings of this process; `flags` that are not None win over all else.

    Raises:
        SettingsError: a value is wrong, or a name with our prefix is unknown.
    """
    unknown = sorted(_unknown_names({**_dotenv(), **os.environ}))
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)} (see `telecine config`)")
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    lines = []
    for found in error.errors(include_url=False, include_input=False):
        field, *inside = (str(part) for part in found["loc"])
        name = "__".join([environment_name(field), *(part.upper() for part in inside)])
        lines.append(f"{name}: {found['msg']}")
    return "; ".join(lines)


def _dotenv() -> dict[str, str]:
    values = dotenv_values(ENV_FILE) if Path(ENV_FILE).is_file() else {}
    return {name: value for name, value in values.items() if value is not None}


def _unknown_names(names: Mapping[str, str]) -> Iterator[str]:
    known = {environment_name(field) for field in Settings.model_fields}
    for name in names:
        if not name.upper().startswith(PREFIX) or name in OTHER_NAMES:
            continue
        plain = name.upper().removesuffix("_FILE")
        field = Settings.model_fields.get(plain.removeprefix(PREFIX).lower())
        is_secret = field is not None and _is_secret(field)
        group = name.upper().partition("__")[0]
        if name.upper() in known or (plain != name.upper() and is_secret):
            continue
        if group != name.upper() and group == environment_name("rate_limit"):
            continue
        yield name
