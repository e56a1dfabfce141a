"""The OpenAPI document: FastAPI's, with our errors and both ways to authenticate."""

from typing import Any

from telecine.http.schemas import ProblemDocument

OPERATOR_TAG = "telecine"
"""Tag of the operations that api.video does not have."""

_SECURITY_SCHEMES = {
    "apiKey": {
        "type": "http",
        "scheme": "basic",
        "description": "The API key is the user name; the password is empty.",
    },
    "bearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token from `/auth/api-key` or `/auth/refresh`.",
    },
    "operatorKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "The operator key of the installation.",
    },
}
_METHODS = {"get", "head", "post", "put", "patch", "delete"}


def finish(document: dict[str, Any]) -> dict[str, Any]:
    """Complete a generated document, in place, and return it."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    # FastAPI documents a 422 that we never send.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemDocument"] = problem
    components["securitySchemes"] = _SECURITY_SCHEMES
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in _METHODS:
                _finish_operation(operation)
        _drop_defaults(schemas, path.get("patch", {}))
    return document


def _drop_defaults(schemas: dict[str, Any], patch: dict[str, Any]) -> None:
    """Say of no attribute of a change what it is without it: it stays as it is."""
    for content in patch.get("requestBody", {}).get("content", {}).values():
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        for attribute in schemas.get(name, {}).get("properties", {}).values():
            attribute.pop("default", None)


def _is_generated(response: dict[str, Any]) -> bool:
    return "application/json" in response.get("content", {})


def _finish_operation(operation: dict[str, Any]) -> None:
    if "422" in operation["responses"] and _is_generated(operation["responses"]["422"]):
        del operation["responses"]["422"]
    if "security" in operation:
        return
    if OPERATOR_TAG in operation.get("tags", ()):
        operation["security"] = [{"operatorKey": []}]
    else:
        operation["security"] = [{"apiKey": []}, {"bearerAuth": []}]
