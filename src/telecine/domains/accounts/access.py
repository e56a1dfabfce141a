"""From where the media of a project may be watched: settings that the operator makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Access:
    """Lists of a project. `referrers`, `countries`: None where there is no list."""

    referrers: frozenset[str] | None
    empty_referrer: bool
    countries: frozenset[str] | None
    unknown_country: bool

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Access | None":
        """Return the lists of a project's settings, None if it has none."""
        referrers, countries = settings.get("allowed_referrers"), settings.get("allowed_countries")
        if referrers is None and countries is None:
            return None
        return cls(
            referrers=None if referrers is None else frozenset(referrers),
            empty_referrer=bool(settings.get("allow_empty_referrer")),
            countries=None if countries is None else frozenset(countries),
            unknown_country=bool(settings.get("allow_unknown_country")),
        )

    def takes_referrer(self, host: str | None) -> bool:
        """Tell whether a page on this host (None: unknown) may show the media."""
        if self.referrers is None:
            return True
        return self.empty_referrer if host is None else host in self.referrers

    def takes_country(self, code: str | None) -> bool:
        """Tell whether viewers in this country (None: unknown) may watch."""
        if self.countries is None:
            return True
        return self.unknown_country if code is None else code in self.countries
