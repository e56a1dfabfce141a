"""What an OpenAPI document says of values: types, formats, bounds, defaults, errors.

`reference_facets.json` has the same of api.video's document of 2021, made by `facets`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.contract.openapi_facts import Document, plain

Facets = Mapping[str, Any]
"""`type`, `nullable`, and what else a schema says, by name; an enum is in order."""

SAID = ("format", "enum", "default", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems",
        "pattern")  # fmt: skip
DEEPEST = 8


def facets(document: Document) -> dict[str, dict[str, Facets]]:
    """Return what is said of each value of each operation.

    Values are named `query title`, `body tags[]`, `answer assets.hls`; those named
    `error 404` are the answers that are none.
    """
    return {
        f"{method} {path}": dict(_of_operation(document, path, operation))
        for method, path, operation in document.raw()
    }


def differences(theirs: Mapping[str, Facets], ours: Mapping[str, Facets]) -> Iterator[str]:
    """Name what is said otherwise: `answer ttl: minimum 0, ours none`.

    Values that one of both does not have are compared elsewhere, by their names.
    """
    for name in sorted(theirs.keys() & ours.keys()):
        for facet in sorted(theirs[name].keys() | ours[name].keys()):
            wanted, own = theirs[name].get(facet), ours[name].get(facet)
            if wanted != own or isinstance(wanted, bool) is not isinstance(own, bool):
                yield f"{name}: {facet} {_told(wanted)}, ours {_told(own)}"
    for name in sorted(theirs.keys() ^ ours.keys()):
        if name.startswith("error "):
            yield f"{name}: {'theirs' if name in theirs else 'ours'}"


def _told(value: object) -> str:
    return "none" if value is None else str(value)


def _of_operation(
    document: Document, path: str, operation: dict[str, Any]
) -> Iterator[tuple[str, Facets]]:
    shared = document.content["paths"][path].get("parameters", ())
    for parameter in map(document.resolve, (*shared, *operation.get("parameters", ()))):
        name = f"{parameter['in']} {plain(parameter['name'])}"
        yield from _of_value(document, parameter.get("schema", {}), name)
    body = document.resolve(operation.get("requestBody", {}))
    yield from _of_contents(document, body, "body")
    for status, reply in operation["responses"].items():
        if status.startswith("2"):
            yield from _of_contents(document, document.resolve(reply), "answer")
        elif status[0] in "45":
            yield f"error {status}", {}


def _of_contents(
    document: Document, holder: dict[str, Any], where: str
) -> Iterator[tuple[str, Facets]]:
    for content in holder.get("content", {}).values():
        for name, found in _of_value(document, content.get("schema", {}), ""):
            yield f"{where} {name}", found


def _of_value(
    document: Document, schema: dict[str, Any], name: str, depth: int = 0
) -> Iterator[tuple[str, Facets]]:
    said, nullable = _one_schema(document, schema)
    if name:
        yield name, _facets(said, nullable=nullable)
    if depth > DEEPEST:
        return
    for choice in (*said.get("oneOf", ()), *said.get("anyOf", ())):
        for inner, found in _of_value(document, choice, "", depth + 1):
            yield (f"{name}.{inner}" if name else inner), found
    if "items" in said:
        yield from _of_value(document, said["items"], f"{name}[]", depth + 1)
    for member, inner in said.get("properties", {}).items():
        below = f"{name}.{member}" if name else member
        yield from _of_value(document, inner, below, depth + 1)


def _one_schema(document: Document, schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return a schema without references and null, and whether it may be null."""
    said = document.resolve(schema)
    nullable = bool(said.get("nullable"))
    for choice in ("anyOf", "oneOf"):
        parts = [document.resolve(part) for part in said.get(choice, ())]
        values = [part for part in parts if part.get("type") != "null"]
        nullable = nullable or len(values) < len(parts)
        if len(values) == 1:
            said = {**values[0], **{key: said[key] for key in said if key != choice}}
    for part in said.get("allOf", ()):
        said = {**document.resolve(part), **said}
    return said, nullable


def _facets(said: dict[str, Any], *, nullable: bool) -> Facets:
    kind = said.get("type")
    kinds = kind if isinstance(kind, list) else [kind] if kind else []
    named = [each for each in kinds if each != "null"]
    found: dict[str, Any] = {"type": "|".join(named)} if named else {}
    if nullable or len(named) < len(kinds):
        found["nullable"] = True
    for facet in SAID:
        if said.get(facet) is not None:
            value = said[facet]
            found[facet] = sorted(map(str, value)) if facet == "enum" else value
    return found
