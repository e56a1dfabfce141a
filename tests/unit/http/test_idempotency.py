import pytest
from cryptography.exceptions import InvalidTag
from fastapi.responses import JSONResponse

from telecine.http.idempotency import Answer, digest, key_of
from telecine.problems import Problem

KEY = b"k" * 32


@pytest.mark.parametrize(
    "value", ["a", "!", "~", "x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"']
)
def test_visible_ascii_is_a_key(value: str) -> None:
    assert key_of([value]) == value


def test_without_the_header_there_is_no_key() -> None:
    assert key_of([]) is None


@pytest.mark.parametrize(
    "values", [[""], ["a b"], ["a\tb"], ["x" * 256], ["clé"], ["\x7f"], ["a", "a"], ["a\n"]]
)
def test_anything_else_is_refused(values: list[str]) -> None:
    with pytest.raises(Problem) as caught:
        key_of(values)
    assert caught.value.status == 400
    assert caught.value.violations[0].name == "Idempotency-Key"


def test_an_answer_comes_back_byte_for_byte_and_says_so() -> None:
    first = JSONResponse({"title": "é\n"}, 201, {"ETag": '"x"'})
    again = Answer.unsealed(Answer.of(first).sealed(KEY), KEY).response()
    assert (again.status_code, again.body) == (201, first.body)
    headers = dict(again.headers)
    assert headers.pop("idempotent-replayed") == "true"
    assert headers == dict(first.headers)


def test_a_sealed_answer_tells_nothing_and_cannot_be_changed() -> None:
    sealed = Answer.of(JSONResponse({"token": "secret"})).sealed(KEY)
    assert b"secret" not in sealed
    assert sealed != Answer.of(JSONResponse({"token": "secret"})).sealed(KEY)
    with pytest.raises(InvalidTag):
        Answer.unsealed(sealed[:-1] + bytes([sealed[-1] ^ 1]), KEY)
    with pytest.raises(InvalidTag):
        Answer.unsealed(sealed, b"o" * 32)


def test_the_borders_of_parts_count() -> None:
    assert digest("ab", "c") != digest("a", "bc") != digest("abc")
    assert digest("a", b"b") == digest(b"a", "b")
