"""Errors that are the caller's fault, with the body that the API documents.

A `Problem` is raised anywhere below the HTTP edge and rendered there, once, as
`application/problem+json` (RFC 9457). Everything else that escapes is a bug.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

REFERENCE_URL = "https://docs.api.video/reference/"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request.

    `slug` is None for the one documented error that has no `type`.
    """

    slug: str | None
    title: str
    name: str | None = None
    detail: str | None = None
    range: dict[str, int] | None = None

    def as_json(self) -> dict[str, object]:
        """Return the members in the order of the documented payloads."""
        body: dict[str, object] = {}
        if self.slug is not None:
            body["type"] = REFERENCE_URL + self.slug
        body["title"] = self.title
        if self.name is not None:
            body["name"] = self.name
        if self.detail is not None:
            body["detail"] = self.detail
        if self.range is not None:
            body["range"] = self.range
        return body


@dataclass(eq=False)
class Problem(Exception):
    """A request that cannot be served, for a reason that the caller can mend.

    `violations` has one element or more; the first also stands at the top level.
    """

    status: int
    violations: tuple[Violation, ...]
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        first = self.violations[0]
        return f"{self.status} {first.slug}: {first.title} ({first.name})"

    def as_json(self) -> dict[str, object]:
        """Return the problem+json body."""
        first = self.violations[0].as_json()
        body = {**first, "status": self.status}
        if len(self.violations) > 1:
            body["problems"] = [violation.as_json() for violation in self.violations]
        return body


def problem(
    status: int, slug: str | None, title: str, name: str | None = None, detail: str | None = None
) -> Problem:
    """Build a problem with a single violation."""
    return Problem(status, (Violation(slug, title, name, detail),))


def attribute_required(name: str) -> Violation:
    """A required body attribute is missing or null."""
    return Violation("attribute-required", "This attribute is required.", name)


def invalid_attribute(
    name: str, detail: str | None = None, title: str = "An attribute is invalid."
) -> Violation:
    """A body or path attribute has a wrong type, format or value."""
    return Violation("invalid-attribute", title, name, detail)


def invalid_parameter(name: str, detail: str) -> Violation:
    """A query parameter is not one of the operation's, or has a wrong value."""
    title = "A query parameter is invalid."
    return Violation("request-invalid-query-parameter", title, name, detail)


def out_of_range(name: str, minimum: int, maximum: int | None = None) -> Violation:
    """A paging parameter is out of range; documented without a `type`."""
    bounds = {"min": minimum} if maximum is None else {"min": minimum, "max": maximum}
    title = "This parameter is out of the allowed range of values."
    return Violation(None, title, name, range=bounds)


def bad_request(violations: Sequence[Violation]) -> Problem:
    """Collect what is wrong with a request, in the order of its attributes."""
    return Problem(400, tuple(violations))


def not_found(name: str | None) -> Problem:
    """The id is unknown, or belongs to another project: both look the same."""
    return problem(404, "resource-not-found", "The requested resource was not found.", name)


def with_headers(error: Problem, headers: dict[str, str]) -> Problem:
    """Return the same problem with more response headers."""
    return replace(error, headers={**error.headers, **headers})
