"""The periods by which sessions are asked for (pure): a day, a week, a month, a year, a range."""

import re
from datetime import UTC, date, datetime, timedelta

Bounds = tuple[datetime, datetime]

_YEAR = re.compile(r"\d{4}")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def bounds(period: str) -> Bounds:
    """Return when a period begins and when it is over, in UTC.

    Both days of a range belong to it.

    Raises:
        ValueError: it is no period.
    """
    first, slash, last = period.partition("/")
    if slash:
        begin, end = _day(first), _day(last)
        if end < begin:
            raise ValueError("a range that ends before it begins")
        return _midnight(begin), _after(end, 1)
    if _YEAR.fullmatch(period):
        begin = date(int(period), 1, 1)
        return _midnight(begin), _midnight(_month_after(begin, 12))
    if found := _MONTH.fullmatch(period):
        begin = date(int(found[1]), int(found[2]), 1)
        return _midnight(begin), _midnight(_month_after(begin, 1))
    if found := _WEEK.fullmatch(period):
        begin = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        return _midnight(begin), _after(begin, 7)
    begin = _day(period)
    return _midnight(begin), _after(begin, 1)


def _day(text: str) -> date:
    if not _DAY.fullmatch(text):
        raise ValueError("not a day")
    return date.fromisoformat(text)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _after(day: date, days: int) -> datetime:
    try:
        return _midnight(day + timedelta(days=days))
    except OverflowError as error:  # the last day of the year 9999
        raise ValueError("too late") from error


def _month_after(month: date, months: int) -> date:
    number = month.year * 12 + month.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)
