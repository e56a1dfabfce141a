"""Parts of documents that all operations share, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

PUBLIC_ID = "^[A-Za-z0-9_-]{1,64}$"
"""What an id in a path looks like; anything else is not found."""


class Wire(BaseModel):
    """Base of what goes over the wire: camelCase names, unknown members ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore"
    )


class PaginationLink(Wire):
    """A link to a page of a list."""

    rel: str
    uri: str


class Pagination(Wire):
    """Where a page stands in its list."""

    current_page: int
    page_size: int
    pages_total: int
    items_total: int
    current_page_items: int
    links: list[PaginationLink]


class ProblemRange(Wire):
    """The allowed range of a parameter."""

    min: int | None = None
    max: int | None = None


class ProblemItem(Wire):
    """One of several things that are wrong with a request."""

    type: str | None = None
    title: str
    name: str | None = None
    detail: str | None = None
    range: ProblemRange | None = None


class ProblemDocument(ProblemItem):
    """An error (RFC 9457, `application/problem+json`)."""

    status: int
    problems: list[ProblemItem] = Field(default_factory=list)


_DESCRIPTIONS = {
    400: "The request is invalid.",
    401: "The credentials are missing or wrong.",
    403: "The account may not do this.",
    404: "There is no such resource.",
    409: "The request conflicts with what is there, or with another one.",
    412: "The resource is not the one that `If-Match` names.",
    416: "The range lies behind the end.",
    422: "The `Idempotency-Key` was used for another request.",
    429: "Too many requests.",
    507: "The storage is full.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the errors of an operation; 401 and 429 are always among them."""
    reference = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {"application/problem+json": {"schema": reference}},
        }
        for status in sorted({*statuses, 401, 429})
    }


def file_body(description: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """Document a body that is a form with one file and, perhaps, other fields."""
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": description},
            **(fields or {}),
        },
    }
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
