import pytest

from telecine.domains.accounts.access import Access


def test_without_lists_nothing_is_asked() -> None:
    assert Access.of({}) is None
    assert Access.of({"allow_empty_referrer": True, "allow_unknown_country": True}) is None


@pytest.mark.parametrize(
    ("settings", "host", "right"),
    [
        ({"allowed_referrers": ["a.example"]}, "a.example", True),
        ({"allowed_referrers": ["a.example"]}, "www.a.example", False),
        ({"allowed_referrers": ["a.example"]}, "", False),
        ({"allowed_referrers": ["a.example"]}, None, False),
        ({"allowed_referrers": ["a.example"], "allow_empty_referrer": True}, None, True),
        ({"allowed_referrers": ["a.example"], "allow_empty_referrer": True}, "", False),
        ({"allowed_referrers": []}, "a.example", False),
        ({"allowed_countries": ["FR"]}, "a.example", True),
    ],
)
def test_sites(settings: dict[str, object], host: str | None, right: bool) -> None:
    access = Access.of(settings)
    assert access is not None
    assert access.takes_referrer(host) is right


@pytest.mark.parametrize(
    ("settings", "code", "right"),
    [
        ({"allowed_countries": ["FR"]}, "FR", True),
        ({"allowed_countries": ["FR"]}, "DE", False),
        ({"allowed_countries": ["FR"]}, None, False),
        ({"allowed_countries": ["FR"], "allow_unknown_country": True}, None, True),
        ({"allowed_referrers": []}, "DE", True),
    ],
)
def test_countries(settings: dict[str, object], code: str | None, right: bool) -> None:
    access = Access.of(settings)
    assert access is not None
    assert access.takes_country(code) is right
