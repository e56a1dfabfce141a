"""Who asks: the project and environment that a request's credentials belong to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated caller; every query of its request starts from `project_id`.

    `environment` is "production" or "sandbox"; `settings` are those of the project.
    `api_key_id` is None for the bearer of an upload token, who has no key.
    """

    project_id: UUID
    project_public_id: str
    environment: str
    api_key_id: UUID | None
    settings: Mapping[str, Any] = field(default_factory=dict)
