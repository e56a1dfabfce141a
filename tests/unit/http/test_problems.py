import pytest

from telecine.http.problems import bracketed, validation_problem, violation_of


def test_nested_names_are_written_as_php_does() -> None:
    assert bracketed(["restreams", 0, "name"]) == "restreams[0][name]"


@pytest.mark.parametrize(
    ("kind", "context", "detail"),
    [
        ("string_type", {}, "This value must be of type string."),
        ("int_parsing", {}, "This value must be of type integer."),
        ("int_from_float", {}, "This value must be of type integer."),
        ("bool_type", {}, "This value must be of type boolean."),
        ("model_attributes_type", {}, "This value must be of type object."),
        ("too_long", {"max_length": 5}, "This collection should contain 5 elements or less."),
        (
            "enum",
            {"expected": "'minute', 'hour' or 'day'"},
            "This value must be part of the following values: minute,hour,day",
        ),
        ("telecine", {"detail": "Value must be false."}, "Value must be false."),
        ("something_new", {}, "This value is not valid."),
    ],
)
def test_findings_get_the_documented_words(
    kind: str, context: dict[str, object], detail: str
) -> None:
    error = {"type": kind, "loc": ("body", "a"), "ctx": context, "input": 1}
    assert violation_of(error).as_json() == {
        "type": "https://docs.api.video/reference/invalid-attribute",
        "title": "An attribute is invalid.",
        "name": "a",
        "detail": detail,
    }


def test_a_malformed_id_in_the_path_is_not_found() -> None:
    error = {"type": "string_pattern_mismatch", "loc": ("path", "videoId"), "input": "?"}
    problem = validation_problem([error])
    assert (problem.status, problem.violations[0].name) == (404, "videoId")
