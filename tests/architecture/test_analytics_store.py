"""Only the store of viewers' analytics knows SQL: it could keep them elsewhere."""

import ast
import re

from tests.architecture.sources import SRC, imported, place, python_files, tree

DOMAIN = SRC / "domains" / "analytics"
STORE = DOMAIN / "store"
TABLES = DOMAIN / "models.py"

ALLOWED = (
    "sqlalchemy.exc.",  # that the store is out of reach is told by these
    "sqlalchemy.Row",  # what it gives, read by attribute
)
STATEMENT = re.compile(
    r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+[\w\"*(]+.*\b(FROM|SET|VALUES)\b", re.DOTALL
)


def test_only_the_store_imports_what_speaks_sql() -> None:
    outside = [
        f"{place(path, node)} {name}"
        for path in python_files("src")
        if DOMAIN in path.parents and STORE not in path.parents and path != TABLES
        for node, name in imported(path)
        if name.split(".")[0] in ("sqlalchemy", "psycopg") and not name.startswith(ALLOWED)
    ]
    assert outside == []


def test_statements_are_written_in_the_store_alone() -> None:
    statements = [
        place(path, node)
        for path in python_files("src")
        if DOMAIN in path.parents and STORE not in path.parents
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if STATEMENT.search(node.value)
    ]
    assert statements == []


def test_nobody_else_touches_its_tables() -> None:
    users = {
        place(path)
        for path in python_files("src")
        for _, name in imported(path)
        if name.startswith("telecine.domains.analytics.models.") and STORE not in path.parents
    }
    assert users == set()
