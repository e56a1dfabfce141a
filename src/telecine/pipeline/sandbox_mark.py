"""The word on videos of the sandbox environment, drawn without a font."""

from itertools import groupby

# Rows of seven letters, five dots wide, with a gap of one.
_ROWS = (
    " ####   ###  #   # ####  ####   ###  #   #",
    "#      #   # ##  # #   # #   # #   # #   #",
    "#      #   # # # # #   # #   # #   #  # # ",
    " ###   ##### #  ## #   # ####  #   #   #  ",
    "    #  #   # #   # #   # #   # #   #  # # ",
    "    #  #   # #   # #   # #   # #   # #   #",
    "####   #   # #   # ####  ####   ###  #   #",
)
_WIDTH_SHARE = 3
_COLOUR = "white@0.55"


def mark(width_px: int, height_px: int) -> list[str]:
    """Return filters that draw SANDBOX across a third of the picture's lower left."""
    columns = max(map(len, _ROWS))
    dot = max(1, width_px // _WIDTH_SHARE // columns)
    left, top = 2 * dot, max(0, height_px - (len(_ROWS) + 2) * dot)
    boxes = []
    for row, line in enumerate(_ROWS):
        column = 0
        for filled, run in groupby(line, lambda character: character == "#"):
            length = len(list(run))
            if filled:
                x, y = left + column * dot, top + row * dot
                boxes.append(f"drawbox={x}:{y}:{length * dot}:{dot}:{_COLOUR}:fill")
            column += length
    return boxes
