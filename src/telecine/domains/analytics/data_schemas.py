"""What goes over the wire for `/data`."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from telecine.http.schemas import Pagination, Wire


class Timeframe(Wire):
    """The time that was asked for, as far as it is kept."""

    from_: Annotated[datetime, Field(alias="from")]
    to: datetime


class NumberContext(Wire):
    """What a number is about."""

    metric: str
    aggregation: str | None = None
    timeframe: Timeframe | None = None


class DataNumber(Wire):
    """A number about a time."""

    context: NumberContext
    data: float


class BreakdownContext(Wire):
    """What numbers of values are about."""

    metric: str
    breakdown: str | None = None
    timeframe: Timeframe | None = None


class ValueNumber(Wire):
    """A number about one value."""

    dimension_value: str
    metric_value: float


class DataBreakdown(Wire):
    """A page of numbers, of one value each."""

    context: BreakdownContext
    data: list[ValueNumber]
    pagination: Pagination


class SeriesContext(Wire):
    """What numbers over time are about."""

    metric: str
    interval: str
    timeframe: Timeframe | None = None


class IntervalNumber(Wire):
    """A number about one interval, which begins at `emittedAt`."""

    emitted_at: datetime
    metric_value: float


class DataSeries(Wire):
    """A page of numbers, of one interval each."""

    context: SeriesContext
    data: list[IntervalNumber]
    pagination: Pagination


class PlayCount(Wire):
    """How often a value was played."""

    value: str
    plays: int


class PlayCountList(Wire):
    """A page of counts."""

    data: list[PlayCount]
    pagination: Pagination
