"""Facts of an OpenAPI document, in the shape of `reference_operations.json`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its name is `GET /videos`; all else is what clients depend on.

    Nested members are written `assets.hls` and `tags[].value`; parameters `query title`.
    """

    name: str
    parameters: frozenset[str] = frozenset()
    body: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    success: frozenset[str] = frozenset()
    answer: frozenset[str] = frozenset()


class Document:
    """An OpenAPI document with its references resolved on the way."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """Return the facts of all operations by name."""
        found = (
            self._operation(f"{method.upper()} {path}", item, item[method])
            for path, item in self.content["paths"].items()
            for method in METHODS
            if method in item
        )
        return {operation.name: operation for operation in found}

    def raw(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield method, path and description of every operation."""
        for path, item in self.content["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item[method]

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        """Follow `$ref` until there is none."""
        while "$ref" in node:
            target: Any = self.content
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node

    def members(self, schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
        """Yield the members of objects of a schema, at any depth."""
        schema = self.resolve(schema)
        for choice in ("allOf", "oneOf", "anyOf"):
            for part in schema.get(choice, ()):
                yield from self.members(part, prefix)
        if "items" in schema:
            yield from self.members(schema["items"], f"{prefix}[]")
        for name, member in schema.get("properties", {}).items():
            path = f"{prefix}.{name}" if prefix else name
            yield path
            yield from self.members(member, path)

    def _operation(self, name: str, item: dict[str, Any], given: dict[str, Any]) -> Operation:
        parameters = map(self.resolve, (*item.get("parameters", ()), *given.get("parameters", ())))
        body = self.resolve(given.get("requestBody", {})).get("content", {})
        schemas = [self.resolve(entry.get("schema", {})) for entry in body.values()]
        success = {
            status: self.resolve(reply).get("content", {})
            for status, reply in given["responses"].items()
            if status.startswith("2")
        }
        answers = [entry["schema"] for reply in success.values() for entry in reply.values()]
        return Operation(
            name=name,
            parameters=frozenset(f"{one['in']} {plain(one['name'])}" for one in parameters),
            body=frozenset(body),
            attributes=frozenset(member for one in schemas for member in self.members(one)),
            required=frozenset(member for one in schemas for member in one.get("required", ())),
            success=frozenset(success),
            answer=frozenset(member for one in answers for member in self.members(one)),
        )


def plain(parameter: str) -> str:
    """Return the name of an array parameter without its brackets: `tags[]` is `tags`."""
    return re.sub(r"\[\]$", "", parameter)


def reference(content: dict[str, Any]) -> dict[str, Operation]:
    """Return the operations of `reference_operations.json`."""
    shapes: dict[str, list[str]] = content["shapes"]

    def answer(shape: str) -> frozenset[str]:
        item = shape.removeprefix("page of ")
        if item == shape:
            return frozenset(shapes[shape])
        data = {f"data[].{member}" for member in shapes[item]}
        paging = {f"pagination.{member}" for member in shapes["pagination"]}
        return frozenset({"data", "pagination", *data, *paging})

    return {
        name: Operation(
            name=name,
            **{
                kind: frozenset(given.get(kind, ()))
                for kind in ("parameters", "body", "attributes", "required", "success")
            },
            answer=answer(given["answer"]) if "answer" in given else frozenset(),
        )
        for name, given in content["operations"].items()
    }
