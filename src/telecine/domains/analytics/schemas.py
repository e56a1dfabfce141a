"""What goes over the wire for viewers' analytics."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from telecine.http.schemas import Pagination, Wire


class SessionTimes(Wire):
    """A session: one media in one tab."""

    session_id: str
    loaded_at: datetime
    ended_at: datetime = Field(description="When it was last heard of.")


class SessionLocation(Wire):
    """Where the viewer is."""

    country: str
    city: str


class SessionReferrer(Wire):
    """Where the viewer came from."""

    url: str
    medium: str
    source: str
    search_term: str


class SessionDevice(Wire):
    """What the viewer watches on."""

    type: str
    vendor: str
    model: str


class SessionSystem(Wire):
    """The device's operating system."""

    name: str
    shortname: str
    version: str


class SessionClient(Wire):
    """The program that plays."""

    type: str
    name: str
    version: str


class SessionDocument(Wire):
    """Who watched a media; whatever is not known is `unknown`."""

    session: SessionTimes
    location: SessionLocation
    referrer: SessionReferrer
    device: SessionDevice
    os: SessionSystem
    client: SessionClient


class SessionList(Wire):
    """A page of sessions."""

    data: list[SessionDocument]
    pagination: Pagination


class SessionEvent(Wire):
    """What a viewer did: `from` and `to` of seeks, `at` of all else, in seconds."""

    type: str
    emitted_at: datetime
    at: int | None = None
    from_: Annotated[int | None, Field(alias="from")] = None
    to: int | None = None


class SessionEventList(Wire):
    """A page of events."""

    data: list[SessionEvent]
    pagination: Pagination
