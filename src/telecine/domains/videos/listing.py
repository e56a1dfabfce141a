"""What `GET /videos` can be asked: filters and order, in every dialect."""

from dataclasses import dataclass

from telecine.http import query
from telecine.http.query import Items
from telecine.http.sorting import ORDERS, order_of, parameter
from telecine.problems import Violation, invalid_attribute

SORT_COLUMNS = {
    "title": "title_start",
    "createdAt": "created_at",
    "publishedAt": "published_at",
    "updatedAt": "updated_at",
}


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
    order = order_of(items, [*SORT_COLUMNS], ascending=("title",), violations=violations)
    return Listing(
        title=query.single(items, "title"),
        description=query.single(items, "description"),
        tags=tuple(query.string_array(items, "tags")),
        metadata=tuple(metadata),
        live_stream_id=query.single(items, "liveStreamId"),
        sort_column=SORT_COLUMNS[order.by],
        descending=order.descending,
    )


PARAMETERS = [
    parameter("title", "Part of the title, in any case."),
    {
        "name": "tags[]",
        "in": "query",
        "description": "Only videos with all of these tags. `tags=a` and `tags[0]=a` are "
        "understood as well.",
        "schema": {"type": "array", "items": {"type": "string"}},
    },
    {
        "name": "metadata",
        "in": "query",
        "description": "Only videos with all of these pairs: `metadata[Author]=John`.",
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "style": "deepObject",
        "explode": True,
    },
    parameter("description", "Part of the description, in any case."),
    parameter("liveStreamId", "Only recordings of this live stream."),
    parameter("sortBy", "What to sort by.", SORT_COLUMNS, default="createdAt"),
    parameter(
        "sortOrder",
        "Ascending or descending. Titles are sorted ascending by default, dates descending.",
        ORDERS,
    ),
]
"""The parameters of the list, for the OpenAPI document."""
