"""The languages that a video can be said to be in."""

import re

_TAGS = """
ar ca cs da de el en es fa fi fr he hi hr hu it ja ko ml nl nn no pl pt ru sk sl te tr uk ur vi zh
"""
LANGUAGES = frozenset(_TAGS.split())
_SHAPE = re.compile(r"[A-Za-z-]+")

MALFORMED = (
    'The "language" attribute must contain only letters and dashes (for example "fr", "fr-BE").'
)
UNKNOWN = 'The "language" attribute is not valid.'


def objection(tag: str) -> str | None:
    """Return what is wrong with a language tag, None if it can be used."""
    if not _SHAPE.fullmatch(tag):
        return MALFORMED
    return None if tag in LANGUAGES else UNKNOWN
