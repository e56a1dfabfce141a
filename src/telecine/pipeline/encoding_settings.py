"""The settings of how videos are encoded; a part of `telecine.settings`."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode


class EncodingSettings(BaseModel):
    """In what videos are encoded, and by what."""

    extra_codecs: Annotated[tuple[Literal["hevc", "av1"], ...], NoDecode] = Field(
        default=(),
        description="Codecs in which every video is encoded as well, after H.264 and in the "
        "background, by comma: hevc, av1. Videos that are there already stay as they are.",
    )

    encoder: Literal["software", "vaapi", "nvenc", "videotoolbox"] = Field(
        default="software",
        description="What encodes H.264, where it can be used; otherwise the log says why not, "
        "and software does.",
    )

    encoding_mpx_per_s: float | None = Field(
        default=None,
        gt=0,
        description="Megapixels a second that this machine encodes for one viewer; renditions "
        "that need more are listed once they are stored. Default: measured once.",
    )

    @field_validator("extra_codecs", mode="before")
    @classmethod
    def _split_codecs(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value
