"""Query strings in all the dialects that clients speak (pure)."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

Items = Sequence[tuple[str, str]]
"""The decoded parameters of a query string, in order, repeated names kept."""

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_SPACE_FOR_PLUS = re.compile(r" (?=\d{2}:?\d{2}$)")


def single(items: Items, name: str) -> str | None:
    """Return the last value of `name`, None if it is absent or empty."""
    found = None
    for key, value in items:
        if key == name:
            found = value
    return found or None


def string_array(items: Items, name: str) -> list[str]:
    """Return `tags[]=a`, `tags[0]=a` and `tags=a` as one list; empty values drop out."""
    index = re.compile(rf"{re.escape(name)}(\[\d*\])?")
    return [value for key, value in items if value and index.fullmatch(key)]


def deep_object(items: Items, name: str) -> list[tuple[str, str]]:
    """Return `metadata[key]=value` as pairs; also the JSON text that 2021 documented.

    Raises:
        ValueError: there is text in `metadata` that is no list of pairs.
    """
    return list(_pairs(items, name))


def _pairs(items: Items, name: str) -> Iterator[tuple[str, str]]:
    for key, value in items:
        if key in {name, f"{name}[]"}:
            if value:
                yield from _pairs_of_json(value)
        elif key.startswith(f"{name}[") and key.endswith("]"):
            yield key[len(name) + 1 : -1], value


def _pairs_of_json(text: str) -> Iterator[tuple[str, str]]:
    try:
        parsed = json.loads(text)
    except RecursionError as error:
        raise ValueError("too deep") from error
    for pair in parsed if isinstance(parsed, list) else [parsed]:
        match pair:
            case {"key": str(key), "value": str(value)}:
                (key + value).encode()  # halves of characters, escaped, are no text
                if "\0" in key + value:
                    raise ValueError("NUL")
                yield key, value
            case _:
                raise ValueError("not a list of pairs of key and value")


def filters(items: Items, name: str = "filterBy") -> dict[str, list[str]]:
    """Return `filterBy[mediaId][]=x`, `[mediaId][0]=x` and `[mediaId]=x` by member."""
    member = re.compile(rf"{re.escape(name)}\[([^\[\]]+)\](\[\d*\])?")
    found: dict[str, list[str]] = {}
    for key, value in items:
        match = member.fullmatch(key)
        if match:
            found.setdefault(match[1], []).append(value)
    return found


def boolean(text: str) -> bool:
    """Return the value of `true`, `True`, `1`, `false`, `False` or `0`.

    Raises:
        ValueError: it is something else.
    """
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("not a boolean") from None


def date_time(text: str) -> datetime:
    """Return a time in UTC; without an offset it is taken as UTC.

    A raw `+` of the offset arrives decoded as a space.

    Raises:
        ValueError: it is not an ISO 8601 date and time.
    """
    if "T" not in text.upper():
        raise ValueError("not a date and time")
    parsed = datetime.fromisoformat(_SPACE_FOR_PLUS.sub("+", text))
    try:
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:  # the year 1 or 9999, moved by its offset
        raise ValueError("out of range") from error
