"""What goes over the wire for watermarks."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from telecine.domains.watermarks import lengths
from telecine.http.schemas import Pagination, Wire
from telecine.http.text import NO_NUL, invalid


class WatermarkDocument(Wire):
    """A picture that can be burnt into videos."""

    watermark_id: str
    created_at: datetime


class WatermarkList(Wire):
    """A page of watermarks."""

    data: list[WatermarkDocument]
    pagination: Pagination


def _matching(pattern: str, detail: str) -> AfterValidator:
    compiled = re.compile(pattern.removesuffix("$"), re.ASCII)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise invalid(detail)
        return value

    return AfterValidator(check)


def _pattern(pattern: str) -> Any:  # noqa: ANN401 - what pydantic calls a field
    return Field(json_schema_extra={"pattern": pattern})


Distance = Annotated[
    str,
    _matching(lengths.LENGTH, "This value must be of the form 10px or 10%."),
    _pattern(lengths.LENGTH),
]
Size = Annotated[
    str,
    _matching(lengths.SIZE, "This value must be of the form 10px, 10% or initial."),
    _pattern(lengths.SIZE),
]
Opacity = Annotated[
    str,
    _matching(lengths.OPACITY, "This value must be of the form 70%, and at most 100%."),
    _pattern(lengths.OPACITY),
]


class VideoWatermark(Wire):
    """A picture that is burnt into the video, for good.

    Pixels count in the size of the source, percentages are of the video's width or height.
    """

    id: Annotated[str, StringConstraints(max_length=64), NO_NUL]
    top: Distance | None = Field(default=None, description="Wins over `bottom`.")
    left: Distance | None = Field(default=None, description="Wins over `right`.")
    bottom: Distance | None = Field(default=None, description="Without either: in the middle.")
    right: Distance | None = Field(default=None, description="Without either: in the middle.")
    width: Size | None = Field(
        default=None, description="Follows from `height`, or is the picture's own."
    )
    height: Size | None = Field(
        default=None, description="Follows from `width`, or is the picture's own."
    )
    opacity: Opacity | None = Field(default=None, description="`100%` if absent.")

    def wish(self) -> dict[str, str]:
        """Return what was given."""
        return self.model_dump(exclude_none=True)
