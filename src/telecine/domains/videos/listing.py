"""What `GET /videos` can be asked: filters and order, in every dialect."""

from dataclasses import dataclass
from typing import Any

from telecine.http import query
from telecine.http.query import Items
from telecine.problems import Violation, bad_request, invalid_attribute

SORT_COLUMNS = {
    "title": "title_start",
    "createdAt": "created_at",
    "publishedAt": "published_at",
    "updatedAt": "updated_at",
}
ORDERS = ("asc", "desc")


@dataclass(frozen=True, slots=True)
class Listing:
    """Filters (all must hold) and order of a list of videos, `discarded` or listed ones."""

    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    live_stream_id: str | None = None
    sort_column: str = "created_at"
    descending: bool = True
    discarded: bool = False

    @property
    def filtered(self) -> bool:
        """Tell whether some videos of the project may be left out."""
        return any((self.title, self.description, self.tags, self.metadata, self.live_stream_id))


def listing_of(items: Items) -> Listing:
    """Return what a query string asks for. Raises Problem 400."""
    violations: list[Violation] = []
    metadata: list[tuple[str, str]] = []
    for name, value in items:
        if "\0" in name or "\0" in value:
            detail = "This value must not contain NUL characters."
            violations.append(invalid_attribute(name.replace("\0", ""), detail))
    try:
        metadata = query.deep_object(items, "metadata")
    except ValueError:
        detail = "This value must be of the form metadata[key]=value."
        violations.append(invalid_attribute("metadata", detail))
    sort_by = query.single(items, "sortBy") or "createdAt"
    sort_order = (query.single(items, "sortOrder") or _default_order(sort_by)).lower()
    for name, value, allowed in (
        ("sortBy", sort_by, tuple(SORT_COLUMNS)),
        ("sortOrder", sort_order, ORDERS),
    ):
        if value not in allowed:
            detail = f"This value must be part of the following values: {','.join(allowed)}"
            violations.append(invalid_attribute(name, detail))
    if violations:
        raise bad_request(violations)
    return Listing(
        title=query.single(items, "title"),
        description=query.single(items, "description"),
        tags=tuple(query.string_array(items, "tags")),
        metadata=tuple(metadata),
        live_stream_id=query.single(items, "liveStreamId"),
        sort_column=SORT_COLUMNS[sort_by],
        descending=sort_order == "desc",
    )


def _default_order(sort_by: str) -> str:
    return "asc" if sort_by == "title" else "desc"


def _parameter(
    name: str, description: str, schema: dict[str, Any], **more: str | bool
) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


PARAMETERS = [
    _parameter("title", "Part of the title, in any case.", {"type": "string"}),
    _parameter(
        "tags[]",
        "Only videos with all of these tags. `tags=a` and `tags[0]=a` are understood as well.",
        {"type": "array", "items": {"type": "string"}},
    ),
    _parameter(
        "metadata",
        "Only videos with all of these pairs: `metadata[Author]=John`.",
        {"type": "object", "additionalProperties": {"type": "string"}},
        style="deepObject",
        explode=True,
    ),
    _parameter("description", "Part of the description, in any case.", {"type": "string"}),
    _parameter("liveStreamId", "Only recordings of this live stream.", {"type": "string"}),
    _parameter(
        "sortBy",
        "What to sort by.",
        {"type": "string", "enum": [*SORT_COLUMNS], "default": "createdAt"},
    ),
    _parameter(
        "sortOrder",
        "Ascending or descending. Titles are sorted ascending by default, dates descending.",
        {"type": "string", "enum": [*ORDERS]},
    ),
]
"""The parameters of the list, for the OpenAPI document."""
