"""What the tests of this folder read: the project's own files, parsed."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "telecine"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: str) -> list[Path]:
    """Return the Python files below folders of the repository, sorted; no caches."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not hidden(path))


def hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(ROOT).parts)


def script_files() -> list[Path]:
    """Return the front end's own TypeScript and CSS, sorted."""
    web = ROOT / "web"
    return sorted(
        path
        for pattern in ("*.ts", "*.css", "*.svelte")
        for path in web.rglob(pattern)
        if "node_modules" not in path.parts
    )


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def place(path: Path, node: ast.AST | None = None) -> str:
    """Name a place as editors open it."""
    name = str(path.relative_to(ROOT))
    return f"{name}:{node.lineno}" if isinstance(node, ast.stmt | ast.expr | ast.arg) else name


def module(path: Path) -> str:
    """Name a module by its path below the package: `db/engine`."""
    return path.relative_to(SRC).with_suffix("").as_posix()


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield node


def calls(root: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Yield every call with its dotted name; subscripts and results become `?`."""
    for node in ast.walk(root):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "?"


def imported(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """Yield what a file imports: `time`, `datetime.datetime`, ..."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}"
