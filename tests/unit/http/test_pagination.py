import pytest

from telecine.http.pagination import Page, envelope, page_of
from telecine.problems import Problem


def test_without_parameters_it_is_the_first_page_of_25() -> None:
    assert page_of([]) == Page(1, 25)


@pytest.mark.parametrize("text", ["0", "-1", "a", "1.5", "1e3", "٣", " 1", "9" * 19, "9" * 9999])
def test_a_page_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        page_of([("currentPage", text)])
    assert caught.value.as_json()["name"] == "page"
    assert "type" not in caught.value.as_json()


@pytest.mark.parametrize(
    ("size", "right"), [("0", False), ("1", True), ("100", True), ("101", False)]
)
def test_the_range_of_page_sizes(size: str, right: bool) -> None:
    if right:
        assert page_of([("pageSize", size)]).size == int(size)
        return
    with pytest.raises(Problem) as caught:
        page_of([("pageSize", size)])
    assert caught.value.as_json()["range"] == {"min": 1, "max": 100}


def test_an_empty_list_has_one_page() -> None:
    pagination = envelope([], 0, Page(), "/videos", [])["pagination"]
    assert pagination["pagesTotal"] == 1
    assert [link["rel"] for link in pagination["links"]] == ["self", "first", "last"]


def test_links_keep_other_parameters_in_front_and_encoded() -> None:
    items = [("currentPage", "2"), ("from", "2024-04-28T09:15:05+02:00"), ("tags[]", "a b")]
    links = envelope([1], 51, Page(2, 25), "/videos", items)["pagination"]["links"]
    assert [link["rel"] for link in links] == ["self", "first", "previous", "next", "last"]
    assert links[0]["uri"] == (
        "/videos?from=2024-04-28T09%3A15%3A05%2B02%3A00&tags%5B%5D=a%20b&currentPage=2&pageSize=25"
    )
    assert links[-1]["uri"].endswith("currentPage=3&pageSize=25")
