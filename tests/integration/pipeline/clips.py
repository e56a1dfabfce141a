"""Tiny clips whose pictures carry their number as a bar code, and the reader of it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from telecine.ffmpeg.binary import find_ffmpeg

BITS = 10
BLOCK_PX = 16
WIDTH_PX, HEIGHT_PX = 320, 180

FFMPEG = str(find_ffmpeg(None))


def picture(number: int, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> bytes:
    """A grey picture: bits in the first row of blocks, their complement below."""
    image = np.full((height_px, width_px), 90, dtype=np.uint8)
    image[2 * BLOCK_PX :, (number * 7) % width_px :] = 150  # something that moves
    for bit in range(BITS):
        columns = slice(bit * BLOCK_PX, (bit + 1) * BLOCK_PX)
        value = number >> bit & 1
        image[:BLOCK_PX, columns] = 235 * value
        image[BLOCK_PX : 2 * BLOCK_PX, columns] = 235 * (1 - value)
    return image.tobytes()


def numbers(gray: bytes, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> list[int]:
    """Read the numbers of pictures of the size they were drawn in; -1: unreadable."""
    images = np.frombuffer(gray, np.uint8).reshape(-1, height_px, width_px).astype(int)
    found = np.zeros(len(images), dtype=int)
    legible = np.ones(len(images), dtype=bool)
    inner = slice(BLOCK_PX // 4, BLOCK_PX * 3 // 4)
    for bit in range(BITS):
        columns = slice(bit * BLOCK_PX + inner.start, bit * BLOCK_PX + inner.stop)
        upper = images[:, inner, columns].mean((1, 2))
        lower = images[:, BLOCK_PX + inner.start : BLOCK_PX + inner.stop, columns].mean((1, 2))
        found |= (upper > lower).astype(int) << bit
        legible &= np.abs(upper - lower) > 60
    read: list[int] = np.where(legible, found, -1).tolist()
    return read


def decode(
    path: Path, *filters: str, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX
) -> list[int]:
    """Decode a file in one go and read every picture."""
    graph = ",".join((*filters, f"scale={width_px}:{height_px}:flags=area", "format=gray"))
    command = [FFMPEG, "-v", "error", "-i", str(path), "-map", "0:v:0", "-vf", graph]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    return numbers(output, width_px, height_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """How a clip is made. `kept`: which pictures are left in, by their number."""

    name: str
    video: tuple[str, ...] = ("-c:v", "libx264", "-preset", "veryfast", "-g", "100", "-bf", "3")
    rate: str = "30"
    pictures: int = 280
    audio: tuple[str, ...] = ("-c:a", "aac")
    size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)
    drop: int = 0  # every so-and-so-many-th picture is missing
    before: tuple[str, ...] = ()  # options of a copy that is made of it
    after: tuple[str, ...] = ()
    truncated: bool = False
    late: str = ""  # filters instead of the usual ones

    def make(self, folder: Path) -> Path:
        """Write the clip and return its path."""
        path = folder / self.name
        command = [FFMPEG, "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray"]
        command += ["-s", f"{self.size[0]}x{self.size[1]}", "-r", self.rate, "-i", "-"]
        if self.audio:
            command += ["-f", "lavfi", "-i", "sine=r=48000", "-shortest", *self.audio]
        command += ["-vf", self._filters(), "-fps_mode", "vfr", *self.video]
        target = folder / f"first-{self.name}" if self.before or self.after else path
        stream = b"".join(picture(number, *self.size) for number in range(self.pictures))
        subprocess.run([*command, str(target)], input=stream, check=True)
        if target != path:
            copy = [FFMPEG, "-v", "error", "-y", *self.before, "-i", str(target), "-c", "copy"]
            subprocess.run([*copy, *self.after, str(path)], check=True)
        if self.truncated:
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
        return path

    def _filters(self) -> str:
        if self.late:
            return self.late
        dropped = f"select='mod(n\\,{self.drop})'," if self.drop else ""
        return f"{dropped}format=yuv420p" if "-pix_fmt" not in self.video else f"{dropped}null"
