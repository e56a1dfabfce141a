import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.http.preconditions import check_if_match, is_known, tags
from telecine.problems import Problem


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('"a"', [(False, '"a"')]),
        ('"a","b"', [(False, '"a"'), (False, '"b"')]),
        ('W/"a" , "b,c"', [(True, '"a"'), (False, '"b,c"')]),
        (', ,"a",,', [(False, '"a"')]),
        ('""', [(False, '""')]),
        ('"W/"', [(False, '"W/"')]),
    ],
)
def test_lists_of_tags(value: str, found: list[tuple[bool, str]]) -> None:
    assert tags(value) == found


@pytest.mark.parametrize("value", ["", "a", '"a', '"a" "b"', '*, "a"', 'w/"a"', '"a b"', '"a";"b"'])
def test_what_is_no_list_of_tags(value: str) -> None:
    with pytest.raises(ValueError, match="entity tags"):
        tags(value)


@given(st.text(alphabet='"W/,* \tab', max_size=30))
def test_tags_of_anything_are_quoted(value: str) -> None:
    try:
        found = tags(value)
    except ValueError:
        return
    assert found
    assert all(tag[0] == tag[-1] == '"' and len(tag) > 1 for _, tag in found)


@pytest.mark.parametrize("value", [None, "*", " * ", '"now"', '"old", "now"'])
def test_a_change_of_what_was_seen_goes_through(value: str | None) -> None:
    check_if_match(value, '"now"')


@pytest.mark.parametrize(
    ("value", "status"),
    [('"old"', 412), ('W/"now"', 412), ('"no", "w"', 412), ("now", 400), ('"now', 400), ("", 400)],
)
def test_a_change_of_something_else_is_refused(value: str, status: int) -> None:
    with pytest.raises(Problem) as caught:
        check_if_match(value, '"now"')
    assert caught.value.status == status
    assert caught.value.violations[0].name == "If-Match"


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (None, False),
        ("*", True),
        ('"now"', True),
        ('W/"now"', True),
        ('"old", "now"', True),
        ('"old"', False),
        ("now", False),
    ],
)
def test_what_the_client_has_already(value: str | None, known: bool) -> None:
    assert is_known(value, '"now"') is known
