"""The one place where errors become `application/problem+json`."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from telecine.db.engine import is_out_of_space
from telecine.http.body import objection_to
from telecine.problems import (
    Problem,
    Violation,
    attribute_required,
    bad_request,
    invalid_attribute,
    not_found,
    problem,
    with_headers,
)
from telecine.storage.store import StoreError

log = structlog.get_logger()

INVALID = "telecine"
"""Error type of our own validators; its context holds the `detail` to show."""

_OUTAGES = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    StoreError,
    OSError,
)
"""What we need is not there at the moment."""

AllowedMethods = Callable[[str], frozenset[str]]

_TYPE_NAMES = {
    "bool": "boolean",
    "int": "integer",
    "float": "number",
    "string": "string",
    "dict": "object",
    "model": "object",
    "model_attributes": "object",
}
_DETAILS = {
    "int_from_float": "This value must be of type integer.",
    "string_too_long": "This value should not contain more than {max_length} characters.",
    "string_too_short": "This value should not be blank.",
    "too_long": "This collection should contain {max_length} elements or less.",
    "string_unicode": "This value is not valid Unicode text.",
    "greater_than_equal": "This value should be {ge} or more.",
    "less_than_equal": "This value should be {le} or less.",
    "literal_error": "This value must be part of the following values: {expected}",
    "enum": "This value must be part of the following values: {expected}",
    INVALID: "{detail}",
}


class ProblemResponse(JSONResponse):
    """A response with the exact media type that clients compare."""

    media_type = "application/problem+json"


def render(error: Problem) -> Response:
    """Return the response of a problem."""
    return ProblemResponse(error.as_json(), error.status, headers=error.headers)


def bracketed(path: Sequence[int | str]) -> str:
    """Return the name of a nested attribute as PHP writes it: `metadata[0][key]`."""
    return str(path[0]) + "".join(f"[{step}]" for step in path[1:])


def violation_of(error: dict[str, Any]) -> Violation:
    """Translate one finding of the validator into the documented error."""
    kind: str = error["type"]
    name = bracketed(error["loc"][1:])
    context = error.get("ctx", {})
    if kind == "missing" or (kind != INVALID and error.get("input", kind) is None):
        return attribute_required(name)
    if kind == "list_type":
        return invalid_attribute(name, title="This attribute must be an array.")
    if kind.startswith(("datetime", "timezone")):
        return invalid_attribute(name, title="This attribute must be a ISO-8601 date.")
    return invalid_attribute(name, _detail(kind, context))


def _detail(kind: str, context: dict[str, Any]) -> str:
    base, _, rest = kind.rpartition("_")
    if rest in {"type", "parsing"} and base in _TYPE_NAMES:
        return f"This value must be of type {_TYPE_NAMES[base]}."
    if "expected" in context:  # pydantic writes 'a', 'b' or 'c'
        words = context["expected"].replace(" or ", ", ").replace("'", "")
        context = {"expected": words.replace(", ", ",")}
    return _DETAILS.get(kind, "This value is not valid.").format_map(context)


def validation_problem(errors: Sequence[dict[str, Any]]) -> Problem:
    """Collect the findings of the validator, in the order of the attributes."""
    for error in errors:
        if error["loc"][0] == "path":
            return not_found(str(error["loc"][1]))
        if len(error["loc"]) == 1:  # the body as a whole
            return objection_to(error.get("input"))
    return bad_request([violation_of(error) for error in errors])


def unrecognized_url() -> Problem:
    """No operation has this path."""
    return problem(404, "unrecognized-request-url", "Unrecognized request URL.")


def method_not_allowed(allowed: frozenset[str]) -> Problem:
    """There is such a path, but not with this method."""
    error = problem(405, "method-not-allowed", "Method is not allowed for this route.")
    return with_headers(error, {"Allow": ", ".join(sorted(allowed))})


def server_error(status: int = 500, detail: str | None = None) -> Problem:
    """It is our fault, or that of something that we need."""
    return problem(status, "general-errors", "Server error", detail=detail)


def insufficient_storage() -> Problem:
    """The disk of the media or of the database is full."""
    title = "There is no room left."
    detail = "The storage of this installation is full. Nothing was changed."
    error = problem(507, "insufficient-storage", title, detail=detail)
    return with_headers(error, {"Retry-After": "60"})


def unavailable() -> Problem:
    """Something that we need does not answer."""
    error = server_error(503, "Please try again in a moment.")
    return with_headers(error, {"Retry-After": "5"})


def install(app: FastAPI, allowed_methods: AllowedMethods) -> None:
    """Register the handlers; `allowed_methods` tells the methods of a path."""

    async def on_problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101  (registered for this type)
        return render(error)

    async def on_validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return render(validation_problem(error.errors()))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        if error.status_code == HTTPStatus.NOT_FOUND:
            return render(unrecognized_url())
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return render(method_not_allowed(allowed_methods(request.scope["path"])))
        return render(problem(error.status_code, "general-errors", str(error.detail)))

    async def on_outage(_: Request, error: Exception) -> Response:
        full = is_out_of_space(error)
        if isinstance(error, OSError) and not full:
            raise error  # a bug like any other
        log.error("http.outage", error=type(error).__name__, reason=str(error))
        return render(insufficient_storage() if full else unavailable())

    async def on_bug(_: Request, error: Exception) -> Response:  # noqa: ARG001  (edge logs it)
        return render(server_error())

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    for outage in _OUTAGES:
        app.add_exception_handler(outage, on_outage)
    app.add_exception_handler(Exception, on_bug)
