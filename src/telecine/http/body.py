"""JSON bodies: any media type, bounded, and judged only after the caller is known."""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from telecine.problems import Problem, problem

MAX_JSON_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Unusable:
    """Stands in for a body that is not JSON.

    It fails validation after the dependencies were solved, so a caller without
    credentials is told about these first.
    """

    problem: Problem


def _unusable(problem: Problem) -> object:
    # In a list, because the validator would look for attributes in any other object.
    return [_Unusable(problem)]


def objection_to(body: object) -> Problem:
    """Return why a body that failed validation as a whole cannot be used."""
    match body:
        case [_Unusable(problem)]:
            return problem
        case _:
            return invalid_payload()


def invalid_payload(detail: str | None = None) -> Problem:
    """The body is empty, or is not a JSON object."""
    return problem(400, "invalid-payload", "The payload is invalid.", detail=detail)


def _payload_too_large() -> Problem:
    detail = f"A JSON body has at most {MAX_JSON_BYTES} bytes."
    return problem(413, "invalid-payload", "The payload is too large.", detail=detail)


def _refuse_constant(name: str) -> object:
    message = f"{name} is not JSON"
    raise ValueError(message)


def parse_json(body: bytes) -> object:
    """Return the value of a JSON text, or what stands in for it.

    Stricter than Python's parser: NaN and infinities are no JSON (RFC 8259, 6).
    """
    if len(body) > MAX_JSON_BYTES:
        return _unusable(_payload_too_large())
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # ValueError covers bad UTF-8, bad JSON, and integers of thousands of digits.
        return _unusable(invalid_payload())
    return value if isinstance(value, dict) else _unusable(invalid_payload())


class _JsonRequest(Request):
    """A request whose body has been read and parsed, whatever its media type."""

    def __init__(self, request: Request, body: bytes) -> None:
        scope = request.scope
        headers = [pair for pair in scope["headers"] if pair[0] != b"content-type"]
        # In place: the layers around us look into the same scope after the response.
        scope["headers"] = [*headers, (b"content-type", b"application/json")]
        super().__init__(scope, request.receive)
        self._body = body

    async def json(self) -> Any:  # noqa: ANN401  (as in the base class)
        """Return the parsed body; never raises."""
        return parse_json(self._body)


async def read_bounded(request: Request, limit_bytes: int) -> bytes:
    """Return the body, or its first bytes (more than `limit_bytes`) if it is longer."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            break
    return bytes(body)


class JsonRoute(APIRoute):
    """A route that takes its body as JSON under any Content-Type, or none.

    Browsers post JSON as `text/plain` to avoid a preflight request.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler; routes without a declared body do not read it."""
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler

        async def handle(request: Request) -> Response:
            body = await read_bounded(request, MAX_JSON_BYTES)
            return await handler(_JsonRequest(request, body))

        return handle
