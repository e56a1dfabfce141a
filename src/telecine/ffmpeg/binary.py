"""Which ffmpeg is used."""

import re
import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg

from telecine.ffmpeg.errors import RunnerError


def find_ffmpeg(setting: str | None) -> Path:
    """Return the ffmpeg of the setting (a path, or a name on PATH), else the wheel's.

    Raises:
        RunnerError: there is none.
    """
    if setting:
        found = shutil.which(setting)
        if found is None:
            raise RunnerError("launch", f"no program at {setting}")
        return Path(found).resolve()
    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe()).resolve()
    except RuntimeError as error:  # no wheel for this platform
        raise RunnerError("launch", str(error)) from error


def version(path: Path) -> str:
    """Return the version that a trusted ffmpeg names itself by, such as `9.0.2`.

    Raises:
        RunnerError: it does not run, or is not ffmpeg.
    """
    try:
        said = subprocess.run([path, "-version"], capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise RunnerError("launch", str(error)) from error
    named = re.match(rb"ffmpeg version (?:n?)(\S+)", said.stdout)
    if named is None:
        raise RunnerError("launch", f"{path} is not ffmpeg")
    return named[1].decode("ascii", "replace")


def encoders(path: Path) -> frozenset[str]:
    """Return the names of the encoders that a trusted ffmpeg was built with.

    Raises:
        RunnerError: it does not run.
    """
    try:
        said = subprocess.run(
            [path, "-hide_banner", "-encoders"], capture_output=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RunnerError("launch", str(error)) from error
    lines = re.findall(rb"^ [VAS][A-Z.]{5} (\S+)", said.stdout, re.MULTILINE)
    return frozenset(name.decode("ascii", "replace") for name in lines)
