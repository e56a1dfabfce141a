"""Colours as CSS writes them (CSS Color 4), recognised and left as they are (pure).

They end up in custom properties of the player page. Whatever passes here is one colour:
no URL, no variable, nothing that could close a declaration.
"""

import re

from PIL.ImageColor import colormap

MAX_CHARS = 64

_NAMES = {*colormap, "transparent"}
_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_NUMBER = r"(?:[+-]?(?:\d{1,8}(?:\.\d{0,8})?|\.\d{1,8})(?:%|deg|grad|rad|turn)?|none)"
_COMMAS = rf"{_NUMBER}(?: *, *{_NUMBER}){{2,3}}"
_SPACES = rf"{_NUMBER}(?: +{_NUMBER}){{2}}(?: */ *{_NUMBER})?"
_FUNCTION = re.compile(
    rf"(?:rgba?|hsla?)\( *{_COMMAS} *\)|(?:rgba?|hsla?|hwb|(?:ok)?l(?:ab|ch))\( *{_SPACES} *\)",
    re.ASCII,
)


def is_colour(text: str) -> bool:
    """Tell whether a text is one CSS colour."""
    if len(text) > MAX_CHARS:
        return False
    plain = text.strip(" ").lower()
    return plain in _NAMES or bool(_HEX.fullmatch(plain) or _FUNCTION.fullmatch(plain))
