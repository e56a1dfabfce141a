"""The table of clients and ways to upload is what is tested, and what the documents say."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.contract.upload_ways import TABLE, WAYS, Lacks, rendered

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "upload-clients.md"


@cache
def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


@pytest.mark.parametrize("client", TABLE)
def test_each_way_has_its_test_or_a_reason(client: str) -> None:
    cells = TABLE[client]
    assert len(cells) == len(WAYS)
    for cell in cells:
        if not isinstance(cell, Lacks):
            file, function = cell.split("::")
            assert function in functions(TESTS / file), cell


def test_the_documents_have_the_table() -> None:
    assert rendered() in PAGE.read_text()
