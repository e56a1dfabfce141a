"""Pages of lists: the two parameters and the envelope."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from telecine.http.query import Items, single
from telecine.problems import Violation, bad_request, out_of_range

DEFAULT_ITEMS = 25
MAX_ITEMS = 100

PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "currentPage",
        "in": "query",
        "description": "Which page to return, from 1.",
        "schema": {"type": "integer", "minimum": 1, "default": 1},
    },
    {
        "name": "pageSize",
        "in": "query",
        "description": f"Items per page, 1 to {MAX_ITEMS}.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_ITEMS, "default": DEFAULT_ITEMS},
    },
]
"""The parameters of a list, for the OpenAPI document."""


@dataclass(frozen=True, slots=True)
class Page:
    """The wanted page of a list: `number` starts with 1."""

    number: int = 1
    size: int = DEFAULT_ITEMS

    @property
    def offset(self) -> int:
        """Return how many items come before this page."""
        return (self.number - 1) * self.size

    @property
    def bounded_offset(self) -> int:
        """Return the offset as far as PostgreSQL can count (bigint)."""
        return min(self.offset, 2**63 - 1)


def page_of(items: Items) -> Page:
    """Return the wanted page. Raises Problem, whose names are those documented."""
    violations: list[Violation] = []
    number = _integer(single(items, "currentPage"), 1)
    if number is None or number < 1:
        violations.append(out_of_range("page", 1))
    size = _integer(single(items, "pageSize"), DEFAULT_ITEMS)
    if size is None or not 1 <= size <= MAX_ITEMS:
        violations.append(out_of_range("pageSize", 1, MAX_ITEMS))
    if violations or number is None or size is None:
        raise bad_request(violations)
    return Page(number, size)


def _integer(text: str | None, default: int) -> int | None:
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 18:
        return None
    return int(text)


def envelope(
    data: Sequence[object], items_total: int, page: Page, path: str, items: Items
) -> dict[str, Any]:
    """Return the list as clients get it; links are relative and keep other parameters."""
    pages_total = max(1, -(-items_total // page.size))
    base = path + "?" + _other_parameters(items)

    def link(rel: str, number: int) -> dict[str, str]:
        return {"rel": rel, "uri": f"{base}currentPage={number}&pageSize={page.size}"}

    links = [link("self", page.number), link("first", 1)]
    if page.number > 1:
        links.append(link("previous", page.number - 1))
    if page.number < pages_total:
        links.append(link("next", page.number + 1))
    links.append(link("last", pages_total))
    return {
        "data": data,
        "pagination": {
            "currentPage": page.number,
            "pageSize": page.size,
            "pagesTotal": pages_total,
            "itemsTotal": items_total,
            "currentPageItems": len(data),
            "links": links,
        },
    }


def _other_parameters(items: Items) -> str:
    return "".join(
        f"{quote(key, safe='')}={quote(value, safe='')}&"
        for key, value in items
        if key not in {"currentPage", "pageSize"}
    )
