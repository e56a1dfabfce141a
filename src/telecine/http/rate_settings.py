"""The settings of rate limits; what they limit is counted in `ratelimit`."""

from pydantic import BaseModel, ConfigDict, Field


class RateLimitSettings(BaseModel):
    """Requests a minute of one project and class; empty: no limit."""

    model_config = ConfigDict(extra="forbid")

    reads: int | None = Field(default=None, ge=1, description="Limit of GET requests a minute.")
    writes: int | None = Field(default=None, ge=1, description="Limit of changes a minute.")
    uploads: int | None = Field(default=None, ge=1, description="Limit of uploads a minute.")


class RateLimitsSettings(BaseModel):
    """Default rate limits of both environments; a project may have its own."""

    model_config = ConfigDict(extra="forbid")

    production: RateLimitSettings = Field(default_factory=RateLimitSettings)
    sandbox: RateLimitSettings = Field(default_factory=RateLimitSettings)
