"""Types, formats, bounds, defaults and errors of our document beside those of 2021."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.facet_differences import FACET_DIFFERENCES
from tests.contract.openapi_facets import differences, facets
from tests.contract.openapi_facts import Document
from tests.fixtures.waiting import PATIENCE_S

REFERENCE = json.loads((Path(__file__).parent / "reference_facets.json").read_text())


@pytest.fixture(scope="module")
def found(base_url: str) -> list[tuple[str, str]]:
    answer = httpx.get(f"{base_url}/openapi.json", timeout=PATIENCE_S).raise_for_status()
    return list(all_differences(Document(answer.json())))


def all_differences(document: Document) -> Iterator[tuple[str, str]]:
    ours = facets(document)
    for name, theirs in REFERENCE.items():
        yield from ((name, what) for what in differences(theirs, ours[name]))


def test_every_other_word_has_a_reason(found: list[tuple[str, str]]) -> None:
    unexplained = [
        f"{operation}  {what}"
        for operation, what in found
        if not any(entry.covers(operation, what) for entry in FACET_DIFFERENCES)
    ]
    assert unexplained == []


def test_no_reason_outlives_its_difference(found: list[tuple[str, str]]) -> None:
    stale = [e for e in FACET_DIFFERENCES if not any(e.covers(*pair) for pair in found)]
    assert stale == []


def test_no_type_is_another_one(found: list[tuple[str, str]]) -> None:
    """Whatever the reasons: clients that read the document of 2021 can read our answers."""
    read = {"answer quota.": "number"}
    for operation, what in found:
        if what.startswith("answer ") and ": type " in what:
            kind = what.partition(": type ")[2].partition(",")[0]
            allowed = kind == "none" or any(
                what.startswith(name) and kind == wider for name, wider in read.items()
            )
            assert allowed, f"{operation}  {what}"
