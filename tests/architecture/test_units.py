"""A number that measures something says in which unit."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import place, python_files, tree

MEASURES = {"timeout", "duration", "size", "rate", "delay", "interval"}
NUMBERS = {"int", "float"}

TERMS = {
    "size",  # bytes, as in Python's own `read(size)`
    "pool_size",  # connections: SQLAlchemy's word
    "page_size",  # items: the API's word
}
"""Names that are other people's terms."""


def speaks_for_others(path: Path) -> bool:
    """Tell whether a file's names are those of a standard or of the API."""
    if path.parts[-2:] == ("net", "backend.py"):
        return True  # overrides httpcore's methods, whose arguments are named
    return "formats" in path.parts or path.name.endswith("schemas.py")


def names(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Yield every parameter, field and variable that is annotated as a number."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.arg) and is_number(node.annotation):
            yield node, node.arg
        elif isinstance(node, ast.AnnAssign) and is_number(node.annotation):
            target = node.target
            if isinstance(target, ast.Name | ast.Attribute):
                yield node, target.id if isinstance(target, ast.Name) else target.attr
        elif isinstance(node, ast.Assign) and is_literal(node.value):
            yield from ((node, each.id) for each in node.targets if isinstance(each, ast.Name))


def is_number(annotation: ast.expr | None) -> bool:
    if isinstance(annotation, ast.BinOp):  # int | None
        return is_number(annotation.left) or is_number(annotation.right)
    if isinstance(annotation, ast.Subscript):  # Mapped[int]
        return is_number(annotation.slice)
    return isinstance(annotation, ast.Name) and annotation.id in NUMBERS


def is_literal(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Constant)
        and isinstance(value.value, int | float)
        and not isinstance(value.value, bool)
    )


def test_measures_carry_their_unit() -> None:
    bare = [
        f"{place(path, node)} {name}"
        for path in python_files("src", "benchmarks")
        if not speaks_for_others(path)
        for node, name in names(path)
        if name.lower().rpartition("_")[2] in MEASURES and name not in TERMS
    ]
    assert bare == []
