"""What goes over the wire for player themes."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from telecine.domains.players import colours
from telecine.http.schemas import Pagination, Wire
from telecine.http.text import NO_NUL, invalid

MAX_LINK_CHARS = 2048


def _colour(text: str) -> str:
    if not colours.is_colour(text):
        raise invalid("This value must be a CSS colour, such as rgba(88, 131, 255, .95).")
    return text


Colour = Annotated[str, StringConstraints(max_length=colours.MAX_CHARS), AfterValidator(_colour)]
Switch = Annotated[bool, Field(strict=True)]
Name = Annotated[str, StringConstraints(max_length=100), NO_NUL]


class ThemeInput(Wire):
    """A theme. Absent members stay as they are, null brings a default back."""

    name: Name | None = None
    text: Colour | None = Field(default=None, description="The timer.")
    link: Colour | None = Field(default=None, description="All controls.")
    link_hover: Colour | None = Field(default=None, description="Controls under the pointer.")
    link_active: Colour | None = Field(
        default=None, description="The play button under the pointer."
    )
    track_played: Colour | None = Field(default=None, description="The bar: what was played.")
    track_unplayed: Colour | None = Field(default=None, description="The bar: what is loaded.")
    track_background: Colour | None = Field(default=None, description="The bar: all else.")
    background_top: Colour | None = Field(default=None, description="Upper half of the ground.")
    background_bottom: Colour | None = Field(default=None, description="Lower half of the ground.")
    background_text: Colour | None = Field(default=None, description="The title.")
    enable_api: Switch | None = Field(default=None, description="May pages control the player?")
    enable_controls: Switch | None = None
    force_autoplay: Switch | None = None
    hide_title: Switch | None = None
    force_loop: Switch | None = None

    def changes(self) -> dict[str, Any]:
        """Return what was given, by its name in the API."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class ThemeAssets(Wire):
    """The logo of a theme, and where a click on it leads."""

    logo: str | None = None
    link: str | None = None


class ThemeDocument(Wire):
    """A theme with all its members."""

    player_id: str
    name: str | None = None
    created_at: datetime
    updated_at: datetime
    text: str
    link: str
    link_hover: str
    link_active: str
    track_played: str
    track_unplayed: str
    track_background: str
    background_top: str
    background_bottom: str
    background_text: str
    enable_api: bool
    enable_controls: bool
    force_autoplay: bool
    hide_title: bool
    force_loop: bool
    assets: ThemeAssets


class ThemeList(Wire):
    """A page of themes."""

    data: list[ThemeDocument]
    pagination: Pagination
