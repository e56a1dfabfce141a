"""The order of a list, and other parameters that are one of a few words."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from telecine.http import query
from telecine.http.query import Items
from telecine.problems import Violation, bad_request, invalid_attribute

ORDERS = ("asc", "desc")


class Order(NamedTuple):
    """What a list is sorted by, as the API calls it."""

    by: str
    descending: bool


def parameter(
    name: str, description: str, words: Iterable[str] = (), **more: str
) -> dict[str, Any]:
    """Return a parameter of the query for the OpenAPI document; `words`: all that it can be."""
    schema: dict[str, Any] = {"type": "string", **more}
    if allowed := [*words]:
        schema["enum"] = allowed
    return {"name": name, "in": "query", "description": description, "schema": schema}


def not_one_of(name: str, words: Iterable[str]) -> Violation:
    """Say that a parameter is none of the words that it can be."""
    detail = f"This value must be part of the following values: {','.join(words)}"
    return invalid_attribute(name, detail)


def order_of(
    items: Items,
    sorts: Sequence[str],
    *,
    by: str = "createdAt",
    ascending: Collection[str] = (),
    violations: Iterable[Violation] = (),
) -> Order:
    """Return the order that a query string asks for.

    Sorted by `by` unless it says otherwise, descending unless that is one of `ascending`.
    `violations`: what else is wrong with it, which is told first.

    Raises:
        Problem: 400, something is wrong.
    """
    sort_by = query.single(items, "sortBy") or by
    default = "asc" if sort_by in ascending else "desc"
    sort_order = (query.single(items, "sortOrder") or default).lower()
    found = [*violations]
    for name, value, words in (("sortBy", sort_by, sorts), ("sortOrder", sort_order, ORDERS)):
        if value not in words:
            found.append(not_one_of(name, words))
    if found:
        raise bad_request(found)
    return Order(sort_by, sort_order == "desc")
