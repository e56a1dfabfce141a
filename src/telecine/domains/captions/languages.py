"""The languages that captions and chapters can be in, each by its own name."""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

from telecine.domains.videos.languages import MALFORMED, UNKNOWN

_SHAPE = re.compile(r"[A-Za-z0-9-]{1,64}")


@cache
def names() -> Mapping[str, str]:
    """Return what speakers of a language call it, by IETF tag (BCP 47)."""
    text = resources.files(__package__).joinpath("languages.json").read_text("utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def objection(tag: str) -> str | None:
    """Return what is wrong with a language tag, None if it can be used."""
    if not _SHAPE.fullmatch(tag):
        return MALFORMED
    return None if tag in names() else UNKNOWN
