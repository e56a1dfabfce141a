"""Sources of every kind that people upload: small clips, and what must become of them.

All show the same 90 pictures (their number as a bar code, and four colours), and where
they have sound, three beeps: at 0.5, 1.5 and 2.5 s of the pictures' time. They can be made
longer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.fixtures.media import make_clip
from tests.integration.pipeline.clips import BITS, BLOCK_PX

PICTURES = 90
RATE = 30
BEEPS_S = (0.5, 1.5, 2.5)
COLOURS = ((180, 60, 60), (60, 160, 60), (60, 60, 180), (128, 128, 128))
PATCH_PX = 40

NEAR = (98.0, 0.995)
"""More than what other pictures, or the same in another range or shape, have."""

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-bf", "2")
X265 = ("-c:v", "libx265", "-preset", "ultrafast")
QUIET = "log-level=none:keyint=30"
AAC = ("-c:a", "aac", "-b:a", "96k")
PLAIN = ("-vf", "format=yuv420p")

SOUND = "0.5*sin(2*PI*1000*t)*between(mod(t,1),0.5,0.6)"


def drawn(number: int, width_px: int, height_px: int) -> npt.NDArray[np.uint8]:
    """Picture `number` in RGB: its bits over their complement, below them colours."""
    image = np.full((height_px, width_px, 3), 90, dtype=np.uint8)
    image[2 * BLOCK_PX : -PATCH_PX, (number * 7) % width_px :] = 150  # something that moves
    for bit in range(BITS):
        columns = slice(bit * BLOCK_PX, (bit + 1) * BLOCK_PX)
        value = number >> bit & 1
        image[:BLOCK_PX, columns] = 235 * value
        image[BLOCK_PX : 2 * BLOCK_PX, columns] = 235 * (1 - value)
    for place, colour in enumerate(COLOURS):
        image[-PATCH_PX:, place * PATCH_PX : (place + 1) * PATCH_PX] = colour
    return image


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A source, how it is made, and what must come out of it."""

    name: str
    video: tuple[str, ...] = (*X264, *PLAIN)
    audio: tuple[str, ...] = AAC  # none: no sound
    options: tuple[str, ...] = ()
    size_px: tuple[int, int] = (320, 180)
    pictures: int = PICTURES
    copied: tuple[tuple[str, ...], tuple[str, ...]] | None = None  # before and behind its -i
    changed: Callable[[bytes], bytes] | None = None

    shown: Sequence[int] = tuple(range(PICTURES))  # the picture of each frame of the grid
    slack: int = 0  # frames at the end that may be missing, or hold the last picture
    rate: Fraction = Fraction(RATE)
    shown_px: tuple[int, int] | None = None
    upright: tuple[str, ...] = ()  # filters that undo what the source asks for
    legible: bool = True  # whether the number of every picture can be read
    colours: int = 14  # how far they may be off, of 255
    near: tuple[float, float] | None = NEAR  # the least VMAF and SSIM; None: there are none
    codecs: tuple[str | None, str | None] = ("h264", "aac")
    indexed: bool = True
    passed: tuple[bool, bool] = (True, True)  # whether video and audio go through as they are
    beeps_s: tuple[float, ...] = BEEPS_S
    concealed: bool = False  # damage is met and reported
    truncated: bool = False

    def make(self) -> Path:
        """Return the clip; made once and kept with the other tests' media."""
        width_px, height_px = self.size_px
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width_px}x{height_px}",
               "-r", str(RATE), "-i", "pipe:0")  # fmt: skip
        sound = ("-f", "lavfi", "-i", f"aevalsrc='{SOUND}':s=48000:d={self.pictures / RATE}")
        inputs = (*(raw if self.video else ()), *(sound if self.audio else ()))
        path = make_clip(
            f"input-{self.name}",
            *(*inputs, *self.video, *self.audio, *self.options),
            stdin=self._pictures if self.video else None,
            made_by="1" if self.pictures == PICTURES else f"1, {self.pictures} pictures",
        )
        if self.copied is not None:
            before, behind = self.copied
            path = make_clip(
                f"copied-{self.name}", *before, "-i", str(path), "-map", "0", "-c", "copy", *behind
            )
        if self.changed is not None:
            changed = path.with_name(f"changed-{path.name}")
            changed.write_bytes(self.changed(path.read_bytes()))
            path = changed
        return path

    def _pictures(self) -> Iterator[bytes]:
        for number in range(self.pictures):
            yield drawn(number, *self.size_px).tobytes()


def held(pictures: Sequence[int], frames: int) -> tuple[int, ...]:
    """What a grid of `frames` shows of a source that has only some of the pictures."""
    return tuple(max(each for each in pictures if each <= frame) for frame in range(frames))


def cut_off(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def damaged(data: bytes) -> bytes:
    """Overwrite some stretches in the middle third, as a bad disk or line does."""
    broken = bytearray(data)
    noise = np.random.default_rng(11)
    for at in range(len(data) * 2 // 5, len(data) * 3 // 5, 3001):
        broken[at : at + 60] = noise.bytes(60)
    return bytes(broken)


def other(name: str, **changes: Any) -> Input:  # fields of any type
    """Return an input that no index of ours describes: ffmpeg reads all of it."""
    return replace(Input(name=name, indexed=False, passed=(False, False)), **changes)
