import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from tests.contract.differences import DIFFERENCES
from tests.contract.openapi_facts import Document, Operation, reference
from tests.fixtures.waiting import PATIENCE_S

REFERENCE = json.loads((Path(__file__).parent / "reference_operations.json").read_text())


@pytest.fixture(scope="module")
def document(base_url: str) -> Document:
    return Document(
        httpx.get(f"{base_url}/openapi.json", timeout=PATIENCE_S).raise_for_status().json()
    )


def differences(wanted: Operation, ours: Operation) -> Iterator[str]:
    """Name what one has and the other has not, as in `differences.py`."""
    for kind in [field.name for field in fields(Operation) if field.name != "name"]:
        theirs, own = getattr(wanted, kind), getattr(ours, kind)
        yield from (f"{kind}: no {name}" for name in sorted(theirs - own))
        yield from (f"{kind}: also {name}" for name in sorted(own - theirs))


def all_differences(document: Document) -> Iterator[tuple[str, str]]:
    ours, theirs = document.operations, reference(REFERENCE)
    for name, wanted in theirs.items():
        if name not in ours:
            yield name, "missing"
            continue
        yield from ((name, what) for what in differences(wanted, ours[name]))
    for name in ours.keys() - theirs.keys():
        if " /_/" not in name:  # what is ours alone lives there
            yield name, "also"


def test_every_difference_from_the_reference_has_a_reason(document: Document) -> None:
    unexplained = [
        f"{operation}  {what}"
        for operation, what in all_differences(document)
        if not any(entry.covers(operation, what) for entry in DIFFERENCES)
    ]
    assert unexplained == []


def test_no_reason_outlives_its_difference(document: Document) -> None:
    found = list(all_differences(document))
    stale = [entry for entry in DIFFERENCES if not any(entry.covers(*pair) for pair in found)]
    assert stale == []


def test_the_2021_operations_are_all_in_the_table() -> None:
    editions = [given["editions"] for given in REFERENCE["operations"].values()]
    assert sum(2021 in edition for edition in editions) == 47
    assert sum(2026 in edition for edition in editions) == 59


def test_operation_ids_are_unique(document: Document) -> None:
    ids = [given["operationId"] for _, _, given in document.raw()]
    assert len(ids) == len(set(ids))


def test_every_operation_documents_its_errors(document: Document) -> None:
    for method, path, given in document.raw():
        errors = {status: reply for status, reply in given["responses"].items() if status >= "4"}
        assert errors, f"{method} {path}"
        for status, reply in errors.items():
            assert list(reply["content"]) == ["application/problem+json"], (method, path, status)


def test_every_operation_but_those_of_auth_wants_credentials(document: Document) -> None:
    for method, path, given in document.raw():
        is_open = path.startswith("/auth/") or path == "/upload"
        wanted = [] if is_open else ["apiKey", "bearerAuth"]
        if path.startswith("/_/") and "telecine" in given["tags"]:
            continue  # some are the operator's, some the project's
        assert [name for one in given["security"] for name in one] == wanted, f"{method} {path}"
