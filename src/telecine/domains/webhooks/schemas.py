"""What goes over the wire for webhooks and events."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from telecine.domains.webhooks.events import OWN, PUBLIC
from telecine.http.schemas import Pagination, Wire
from telecine.http.text import NO_NUL, invalid

KNOWN = (*PUBLIC, *OWN)


def _known(event: str) -> str:
    if event not in KNOWN:
        raise invalid(f"This value must be part of the following values: {','.join(KNOWN)}")
    return event


def _web_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        usable = False
    if not usable or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise invalid("This value is not a valid URL.")
    return url


EventName = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": [*KNOWN]})]


class WebhookCreation(Wire):
    """What to be told of, and where."""

    events: Annotated[list[EventName], Field(min_length=1, max_length=len(KNOWN))]
    url: Annotated[
        str,
        StringConstraints(max_length=2048),
        NO_NUL,
        AfterValidator(_web_url),
        Field(json_schema_extra={"format": "uri"}),
    ]


class WebhookDocument(Wire):
    """A webhook. `signatureSecret` is the key of its signatures."""

    webhook_id: str
    created_at: datetime
    events: list[str]
    url: str
    signature_secret: str | None = None


class WebhookList(Wire):
    """A page of webhooks."""

    data: list[WebhookDocument]
    pagination: Pagination


class DeliveryDocument(Wire):
    """An event for one webhook, and what came of the last attempt to deliver it."""

    delivery_id: UUID
    event_id: UUID
    type: str
    media_id: str
    state: str = Field(description="`waiting`, `delivered` or `failed`.")
    attempts: int
    created_at: datetime
    tried_at: datetime | None
    next_at: datetime | None = Field(description="When the next attempt follows.")
    finished_at: datetime | None
    response_status: int | None
    duration_ms: int | None
    response: str | None = Field(description="The first 2 KiB of the answer.")
    error: str | None = Field(description="Why there was no answer, or none that is complete.")
    payload: dict[str, Any]


class DeliveryList(Wire):
    """A page of the log of a webhook, newest first."""

    data: list[DeliveryDocument]
    pagination: Pagination


class EventDocument(Wire):
    """Something that happened."""

    cursor: str = Field(description="Give it as `after` to go on behind this event.")
    event_id: UUID
    project_id: str
    environment: str
    type: str
    media_id: str
    emitted_at: datetime
    payload: dict[str, Any]


class EventPage(Wire):
    """The next events, in the order in which their transactions began."""

    data: list[EventDocument]
    next: str = Field(description="The cursor behind all of them; `after` of the next request.")
