"""Text that a database can hold, and times as text."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from telecine.http.problems import INVALID


def invalid(detail: str) -> PydanticCustomError:
    """Return the error to raise in a validator; `detail` is shown to the caller."""
    return PydanticCustomError(INVALID, "{detail}", {"detail": detail})


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise invalid("This value must not contain NUL characters.")
    return text


NO_NUL = AfterValidator(_without_nul)
"""Goes behind the other constraints of a string."""

Text = Annotated[str, NO_NUL]
"""A string without NUL, which PostgreSQL's text cannot hold."""


def atom(moment: datetime) -> str:
    """Return a time as the API shows it: `2024-07-14T23:36:07+00:00`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
