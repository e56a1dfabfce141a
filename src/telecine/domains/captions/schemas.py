"""What goes over the wire for captions."""

from typing import Annotated

from pydantic import Field

from telecine.http.schemas import Pagination, Wire


class CaptionUpdate(Wire):
    """Changes of a caption."""

    default: Annotated[bool, Field(strict=True)] | None = Field(
        default=None, description="Whether it is shown unasked; then no other one of its video is."
    )


class CaptionDocument(Wire):
    """A caption."""

    uri: str
    src: str
    srclang: str
    language_name: str | None = Field(default=None, description="What its speakers call it.")
    default: bool


class CaptionList(Wire):
    """A page of captions."""

    data: list[CaptionDocument]
    pagination: Pagination
