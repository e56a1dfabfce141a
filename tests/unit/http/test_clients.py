import pytest
from starlette.datastructures import Headers

from telecine.http.clients import Version, strict_python, without_nulls


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({"user-agent": '"api.video client (python; v:1.2.0; )"'}, (1, 2, 0)),
        ({"user-agent": "api.video client (python; v:0.0.17; )"}, (0, 0, 17)),
        ({"av-origin-client": "python:1.3.0"}, (1, 3, 0)),
        ({"av-origin-client": "python:1.3.2"}, None),
        ({"av-origin-client": "python:1.4.7"}, None),
        ({"av-origin-client": "python:1.10.0"}, None),
        ({"user-agent": "api.video client (nodejs; v:1.0.0; )"}, None),
        ({"av-origin-client": "go:1.0.0"}, None),
        ({}, None),
    ],
)
def test_only_old_python_clients_are_strict(
    headers: dict[str, str], version: Version | None
) -> None:
    assert strict_python(Headers(headers)) == version


def test_nulls_are_removed_at_any_depth() -> None:
    value = {"a": None, "b": {"c": None, "d": 0}, "e": [{"f": None}, None, ""]}
    assert without_nulls(value) == {"b": {"d": 0}, "e": [{}, None, ""]}
