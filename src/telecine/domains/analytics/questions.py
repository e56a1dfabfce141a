"""What can be asked of `/data` and how (pure): parameters, their limits, their errors."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from telecine.http import query
from telecine.http.query import Items
from telecine.http.sorting import ORDERS
from telecine.problems import Violation, bad_request, invalid_parameter

MAX_REFERRER_CHARS = 2048
_MAX_VALUE_CHARS = 255
_MAX_VALUES = 1000

CONTINENTS = ("AS", "AF", "NA", "SA", "AN", "EU", "AZ")
MEDIA_TYPES = ("video", "live-stream")
DEVICE_TYPES = ("computer", "phone", "tablet", "tv", "console", "wearable", "unknown")
INTERVALS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
VIEW_DURATIONS_S = {"3s": 3, "5s": 5, "10s": 10, "30s": 30}


QUALITY = (
    "startup-time",
    "rebuffer-count",
    "rebuffer-ratio",
    "bitrate-switches",
    "bitrate",
    "throughput",
    "error-rate",
    "exit-before-start-rate",
    "quality-score",
)
"""The metrics of the quality of experience."""

RENDITION = "rendition"
"""What only playbacks that tell of their quality are told apart by."""

FILTERS = (
    "mediaId",
    "mediaType",
    "continent",
    "country",
    "deviceType",
    "operatingSystem",
    "browser",
    "tag",
    "referrer",
)
TOTAL_FILTERS = ("mediaId", "mediaType")

_FILTER = re.compile(r"filterBy\[([^\[\]]+)\](\[\d*\])?")
_SPACED = re.compile(r"(\d{4}-\d{2}-\d{2}) ")
_COUNTRY = re.compile(r"[A-Z]{2}")
_UNEXPECTED = "This field was not expected."


class Kind(Enum):
    """The form of an answer: one number, one for each value, one for each interval."""

    NUMBER = auto()
    BREAKDOWN = auto()
    SERIES = auto()


_SORTS = {
    Kind.BREAKDOWN: ("metricValue", "dimensionValue"),
    Kind.SERIES: ("metricValue", "emittedAt"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: of which time, of which playbacks, in which order."""

    begin: datetime
    end: datetime
    filters: dict[str, list[str]] = field(default_factory=dict)
    unique: bool = False
    view_s: int = 5
    interval: str = "hour"
    by_value: bool = True
    descending: bool = True


def allowed(kind: Kind, metric: str) -> set[str]:
    """Return the parameters that go with a metric, filters left out."""
    names = {"from", "to"}
    if kind is not Kind.NUMBER:
        names |= {"sortBy", "sortOrder", "currentPage", "pageSize"}
    if kind is Kind.SERIES:
        names.add("interval")
    if metric == "view" or metric.startswith("ccv"):
        names.add("unique")
    if metric == "view":
        names.add("viewDuration")
    return names


def ask(items: Items, kind: Kind, metric: str, now: datetime, oldest: datetime) -> Question:
    """Return what a query string asks for. Raises Problem 400, with all that is wrong."""
    return _Reading(items, kind, metric).question(now, oldest)


class _Reading:
    def __init__(self, items: Items, kind: Kind, metric: str) -> None:
        self._items = items
        self._kind = kind
        self._metric = metric
        self._total = metric == "play-total"
        self._violations: list[Violation] = []

    def question(self, now: datetime, oldest: datetime) -> Question:
        self._refuse_unexpected()
        # Plays of all time have no time, whatever is asked.
        begin, end = (oldest, now) if self._total else self._timeframe(now, oldest)
        sorts = _SORTS.get(self._kind, ("metricValue",))
        first = sorts[-1] if self._kind is Kind.SERIES else sorts[0]
        sort_by = self._choice("sortBy", sorts) or first
        order = self._choice("sortOrder", ORDERS)
        by_value = sort_by == "metricValue"
        question = Question(
            begin=begin,
            end=end,
            filters=self._filters(),
            unique=self._unique(),
            view_s=self._view_s(),
            interval=self._interval(end - begin),
            by_value=by_value,
            descending=by_value if order is None else order == "desc",
        )
        if self._violations:
            raise bad_request(self._violations)
        return question

    def _blame(self, name: str, detail: str) -> None:
        self._violations.append(invalid_parameter(name, detail))

    def _refuse_unexpected(self) -> None:
        names = allowed(self._kind, self._metric)
        filters = set(TOTAL_FILTERS if self._total else FILTERS)
        if self._metric in QUALITY:
            filters.add(RENDITION)
        for key, value in self._items:
            found = _FILTER.fullmatch(key)
            if key not in names and (found is None or found[1] not in filters):
                self._blame(f"{key}:{value}", _UNEXPECTED)

    def _timeframe(self, now: datetime, oldest: datetime) -> tuple[datetime, datetime]:
        end = self._moment("to") or now
        try:
            begin = self._moment("from") or end - timedelta(days=1)
        except OverflowError:  # a day before the first year
            begin = end
        if begin >= end:
            self._blame("from", 'This value must be before the value of "to".')
        begin = max(begin, oldest)
        return min(begin, end), end

    def _moment(self, name: str) -> datetime | None:
        text = query.single(self._items, name)
        if text is None:
            return None
        try:
            return query.date_time(_SPACED.sub(r"\1T", text, count=1))
        except ValueError:
            self._blame(name, "This value must be a ISO-8601 date.")
            return None

    def _choice(self, name: str, choices: Iterable[str], detail: str | None = None) -> str | None:
        text = query.single(self._items, name)
        if text is None or text in choices:
            return text
        values = ",".join(choices)
        self._blame(name, detail or f"This value must be part of the following values: {values}")
        return None

    def _unique(self) -> bool:
        try:
            return query.boolean(query.single(self._items, "unique") or "false")
        except ValueError:
            self._blame("unique", "This value must be of type boolean.")
            return False

    def _view_s(self) -> int:
        detail = 'This view duration is invalid. Use one of "3s", "5s", "10s", "30s".'
        return VIEW_DURATIONS_S[self._choice("viewDuration", VIEW_DURATIONS_S, detail) or "5s"]

    def _interval(self, length: timedelta) -> str:
        detail = 'This interval is invalid. Use one of "minute", "hour", "day".'
        chosen = self._choice("interval", INTERVALS, detail)
        if chosen == "minute" and length > timedelta(hours=1):
            detail = "This interval cannot be used with a timeframe over 60 minutes."
            self._blame("interval", detail)
        return chosen or ("hour" if length <= timedelta(days=2) else "day")

    def _filters(self) -> dict[str, list[str]]:
        found = query.filters(self._items)
        for name, values in found.items():
            objection = _objection(name, values)
            if objection is not None:
                self._blame(f"filterBy[{name}]", objection)
        return found


def _objection(name: str, values: list[str]) -> str | None:
    if name == "referrer":
        if any(len(value) > MAX_REFERRER_CHARS for value in values):
            return f"This value should not contain more than {MAX_REFERRER_CHARS} characters."
    elif any(len(value) > _MAX_VALUE_CHARS for value in values):
        return f"This value should not contain more than {_MAX_VALUE_CHARS} characters."
    if len(values) > _MAX_VALUES:
        return f"This collection should contain {_MAX_VALUES} elements or less."
    if any("\0" in value for value in values):
        return "This value must not contain NUL characters."
    choices = {
        "mediaType": MEDIA_TYPES,
        "continent": (*CONTINENTS, "OC"),  # GeoNames' own code of what the API calls AZ
        "deviceType": DEVICE_TYPES,
    }.get(name)
    if choices is not None and not set(values) <= set(choices):
        return f"This value must be part of the following values: {','.join(choices)}"
    if name == "country" and not all(map(_COUNTRY.fullmatch, values)):
        return "This value must be a country in the ISO 3166-1 alpha-2 format."
    return None


def in_utc(moment: datetime) -> str:
    """Return a time as the context of an answer shows it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
