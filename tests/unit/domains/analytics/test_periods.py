import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.domains.analytics.periods import bounds


@pytest.mark.parametrize(
    ("period", "begin", "end"),
    [
        ("2018-01-01", "2018-01-01", "2018-01-02"),
        ("2018-12-31", "2018-12-31", "2019-01-01"),
        ("2018-W01", "2018-01-01", "2018-01-08"),
        ("2020-W53", "2020-12-28", "2021-01-04"),
        ("2018-01", "2018-01-01", "2018-02-01"),
        ("2018-12", "2018-12-01", "2019-01-01"),
        ("2018", "2018-01-01", "2019-01-01"),
        ("2018-01-01/2018-01-15", "2018-01-01", "2018-01-16"),
    ],
)
def test_forms_of_a_period(period: str, begin: str, end: str) -> None:
    found = [moment.isoformat() for moment in bounds(period)]
    assert found == [f"{begin}T00:00:00+00:00", f"{end}T00:00:00+00:00"]


@pytest.mark.parametrize(
    "period",
    ["", "x", "2018-13", "2018-W00", "2018-W54", "2018-02-30", "20180101", "0000", "9999",
     "9999-12-31", "9999-12", "2018-01-15/2018-01-01", "2018/2019", "2018-01-01/", "2018-1-1"],
)  # fmt: skip
def test_what_is_no_period(period: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        bounds(period)


@given(st.text(alphabet="0123456789-W/", max_size=22))
def test_whatever_is_asked_for_is_a_period_or_not(period: str) -> None:
    try:
        begin, end = bounds(period)
    except ValueError:
        return
    assert begin < end
