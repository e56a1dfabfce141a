from pathlib import Path

import pytest

from telecine import clock
from telecine.net.countries import NOWHERE, Countries, Place
from tests.fixtures.countries import write_countries


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a minute after the one before."""
    now_s = 0.0

    def monotonic_s() -> float:
        nonlocal now_s
        now_s += 61
        return now_s

    monkeypatch.setattr(clock, "monotonic_s", monotonic_s)


def test_addresses_have_the_countries_of_their_networks(tmp_path: Path) -> None:
    countries = Countries(
        write_countries(
            tmp_path / "c.mmdb",
            {
                "203.0.113.0/24": "FR",
                "198.51.100.0/25": {"registered_country": {"iso_code": "CH"}},
                "192.0.2.0/24": {"country": "de"},
                "192.0.3.0/24": {"country_code": "it"},
                "192.0.4.0/24": {"continent": {"code": "EU"}},
                "2001:db8::/32": "SE",
            },
        )
    )
    assert countries.available
    for address, code in (
        ("203.0.113.7", "FR"),
        ("203.0.114.7", None),
        ("198.51.100.1", "CH"),
        ("198.51.100.200", None),
        ("192.0.2.1", "DE"),
        ("192.0.3.1", "IT"),
        ("192.0.4.1", None),
        ("2001:db8::1", "SE"),
        ("2001:db9::1", None),
        ("", None),
        ("unix", None),
    ):
        assert countries.of(address) == code, address


def test_cities_are_known_by_files_that_have_them(tmp_path: Path) -> None:
    city = {"names": {"de": "Köln", "en": "Cologne"}}
    places = Countries(
        write_countries(
            tmp_path / "c.mmdb",
            {
                "203.0.113.0/24": {"country": {"iso_code": "DE"}, "city": city},
                "192.0.2.0/24": {"country": "se", "city": "Malmö"},
                "192.0.3.0/24": {"country": "se", "city": ""},
                "192.0.4.0/24": {"country": "se", "city": {"names": {"sv": "Göteborg"}}},
                "192.0.5.0/24": {"country": "se", "city": {"names": "Lund"}},
                "192.0.6.0/24": {"city": {"names": {"en": "Nowhere"}}},
                "2001:db8::/32": "SE",
            },
        )
    )
    for address, place in (
        ("203.0.113.7", Place("DE", "Cologne")),
        ("192.0.2.1", Place("SE", "Malmö")),
        ("192.0.3.1", Place("SE")),
        ("192.0.4.1", Place("SE")),
        ("192.0.5.1", Place("SE")),
        ("192.0.6.1", Place(None, "Nowhere")),
        ("2001:db8::1", Place("SE")),
        ("198.51.100.1", NOWHERE),
        ("unix", NOWHERE),
    ):
        assert places.place(address) == place, address


def test_without_a_file_nothing_is_known() -> None:
    assert not Countries().available
    assert Countries().place("203.0.113.7") == NOWHERE
    assert Countries().of("203.0.113.7") is None


@pytest.mark.usefixtures("later")
def test_a_replaced_file_is_read_and_a_broken_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "c.mmdb"
    countries = Countries(path)
    assert countries.of("203.0.113.7") is None
    write_countries(path, {"203.0.113.0/24": "FR"})
    assert countries.of("203.0.113.7") == "FR"
    write_countries(path, {"203.0.113.0/24": "BE", "192.0.2.0/24": "FR"})
    assert countries.of("203.0.113.7") == "BE"
    path.write_bytes(b"<html>not found</html>")
    assert countries.of("203.0.113.7") == "BE"
    path.unlink()
    assert countries.of("203.0.113.7") == "BE"
