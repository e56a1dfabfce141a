"""The parameters of `/data`, for the OpenAPI document."""

from typing import Any

from telecine.domains.analytics.questions import (
    CONTINENTS,
    DEVICE_TYPES,
    INTERVALS,
    MEDIA_TYPES,
    VIEW_DURATIONS_S,
)
from telecine.http import pagination
from telecine.http.sorting import ORDERS

Json = dict[str, Any]


def _parameter(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _words(*values: str) -> Json:
    return {"type": "string", "enum": list(values)}


def _list(item: Json) -> Json:
    return {"type": "array", "items": item}


_TEXT = {"type": "string"}

_COMMON = [
    _parameter(
        "from",
        "The first moment, by default a day before `to`; what is older than what is kept counts "
        "as the oldest that is.",
        {"type": "string", "format": "date-time"},
    ),
    _parameter(
        "to",
        "The moment behind the last one; by default now.",
        {"type": "string", "format": "date-time"},
    ),
    _parameter(
        "unique",
        "Whether a viewer (user agent and address, within a day) counts once; with `ccv` and "
        "`view` only.",
        {"type": "boolean"},
    ),
    _parameter(
        "viewDuration",
        "How long a view lasts at least; with `view` only.",
        {**_words(*VIEW_DURATIONS_S), "default": "5s"},
    ),
    {
        **_parameter(
            "filterBy",
            "Only playbacks with one of these values, for each member given. `tag` has one value; "
            "with plays of all time only `mediaId` and `mediaType`, `rendition` only with the "
            "quality.",
            {
                "type": "object",
                "properties": {
                    "mediaId": _list(_TEXT),
                    "mediaType": _words(*MEDIA_TYPES),
                    "continent": _list(_words(*CONTINENTS)),
                    "country": _list({"type": "string", "pattern": "^[A-Z]{2}$"}),
                    "deviceType": _list(_words(*DEVICE_TYPES)),
                    "operatingSystem": _list(_TEXT),
                    "browser": _list(_TEXT),
                    "tag": _TEXT,
                    "referrer": _list({"type": "string", "maxLength": 2048}),
                    "rendition": _list(_TEXT),
                },
            },
        ),
        "style": "deepObject",
        "explode": True,
    },
]
_ORDER = _parameter("sortOrder", "Ascending or descending.", _words(*ORDERS))

OF_NUMBERS = _COMMON
OF_BREAKDOWNS = [
    *_COMMON,
    _parameter("sortBy", "What to sort by.", _words("metricValue", "dimensionValue")),
    _ORDER,
    *pagination.PARAMETERS,
]
OF_SERIES = [
    *_COMMON,
    _parameter(
        "interval",
        "The length of an interval; by default an hour up to two days, else a day. Minutes of at "
        "most an hour.",
        _words(*INTERVALS),
    ),
    _parameter("sortBy", "What to sort by.", _words("metricValue", "emittedAt")),
    _ORDER,
    *pagination.PARAMETERS,
]
