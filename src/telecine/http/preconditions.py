"""Conditional requests on resources that change (RFC 9110, section 13), pure."""

import re
from typing import Any

from telecine.problems import Problem, bad_request, invalid_attribute, problem

_LIST = re.compile(r'[ \t,]*(?:(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*(?:,[ \t,]*|$))+')
_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')

IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "description": "Make the change only if the resource still has this `ETag` (or one of these); "
    "otherwise the answer is 412 and nothing was changed.",
    "schema": {"type": "string"},
}
IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The answer is 304, without a body, if the resource still has this `ETag`.",
    "schema": {"type": "string"},
}
"""The parameters, for the OpenAPI document."""


def precondition_failed() -> Problem:
    """The resource is not the one that the caller has seen."""
    title = "The resource was changed by another request."
    detail = "Fetch it again and repeat the change with its new ETag."
    return problem(412, "precondition-failed", title, "If-Match", detail)


def tags(value: str) -> list[tuple[bool, str]]:
    """Return whether each entity tag of a list is weak, and the tag with its quotes.

    Raises:
        ValueError: it is not a list of entity tags (RFC 9110, 8.8.3 and 5.6.1).
    """
    if _LIST.fullmatch(value) is None:
        raise ValueError("not a list of entity tags")
    return [(bool(weak), tag) for weak, tag in _TAG.findall(value)]


def check_if_match(value: str | None, etag: str) -> None:
    """Compare `If-Match` with the tag of what is there (strongly: 13.1.1).

    Raises:
        Problem: 412 if they differ, 400 if the header is malformed.
    """
    if value is None or value.strip() == "*":
        return
    try:
        wanted = tags(value)
    except ValueError:
        detail = 'This header must be "*" or a list of quoted entity tags.'
        raise bad_request([invalid_attribute("If-Match", detail)]) from None
    if (False, etag) not in wanted:
        raise precondition_failed()


def is_known(value: str | None, etag: str) -> bool:
    """Tell whether `If-None-Match` names the tag of what is there (weakly: 13.1.2).

    A malformed header counts as absent: the answer is then sent in full.
    """
    if value is None:
        return False
    if value.strip() == "*":
        return True
    try:
        return etag in {tag for _, tag in tags(value)}
    except ValueError:
        return False
