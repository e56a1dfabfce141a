"""In which country and city an address is, by a file that the operator provides.

Any database in MaxMind's format (MMDB) with countries will do: GeoLite2 Country or City,
DB-IP, IPinfo's free one. Cities are known by those that have them. A file that was replaced is
read again within a minute.
"""

from pathlib import Path
from typing import NamedTuple

import maxminddb
import structlog

from telecine import clock

log = structlog.get_logger()

_LOOK_EVERY_S = 60.0
_LONGEST_CITY = 100  # characters; the longest name of a place has 85


class Place(NamedTuple):
    """Where an address is. `country`: its ISO 3166 code; `city`: its English name."""

    country: str | None = None
    city: str | None = None


NOWHERE = Place()
"""What is known of an address without a file, or that is not in it."""


class Countries:
    """Countries of addresses. `path` None: nobody's is known."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._reader: maxminddb.Reader | None = None
        self._version: tuple[int, int] | None = None
        self._look_at_s = float("-inf")

    @property
    def available(self) -> bool:
        """Tell whether there is a file to look into."""
        return self._path is not None

    def of(self, address: str) -> str | None:
        """Return the ISO 3166 code of an address's country (`FR`), None if it is unknown."""
        return self.place(address).country

    def place(self, address: str) -> Place:
        """Return the country and the city of an address, as far as they are known."""
        reader = self._current()
        if reader is None:
            return NOWHERE
        try:
            found = reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return NOWHERE  # no address, or a damaged file
        return Place(_code(found), _city(found))

    def _current(self) -> maxminddb.Reader | None:
        if self._path is None or clock.monotonic_s() < self._look_at_s:
            return self._reader
        self._look_at_s = clock.monotonic_s() + _LOOK_EVERY_S
        try:
            state = self._path.stat()
            version = state.st_mtime_ns, state.st_size
            if version != self._version:
                # In memory: whoever replaces the file may write into it.
                self._reader = maxminddb.open_database(self._path, maxminddb.MODE_MEMORY)
                self._version = version
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            # What was read before is better than nothing.
            log.warning("countries unreadable", path=str(self._path), reason=str(error))
        return self._reader


def _code(found: object) -> str | None:
    """Return the country of an entry: where the address is, else where it is registered."""
    if not isinstance(found, dict):
        return None
    for name in ("country", "registered_country"):
        country = found.get(name)
        if isinstance(country, str):  # IPinfo has the code itself
            return country.upper()
        if isinstance(country, dict) and isinstance(country.get("iso_code"), str):
            return str(country["iso_code"])
    code = found.get("country_code")
    return code.upper() if isinstance(code, str) else None


def _city(found: object) -> str | None:
    """Return the English name of an entry's city, None if it has none."""
    city = found.get("city") if isinstance(found, dict) else None
    if isinstance(city, dict):
        names = city.get("names")
        city = names.get("en") if isinstance(names, dict) else None
    # IPinfo and others have the name itself.
    return city[:_LONGEST_CITY] if isinstance(city, str) and city else None
