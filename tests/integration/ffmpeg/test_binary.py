import re
from pathlib import Path

import pytest

from telecine.ffmpeg.binary import find_ffmpeg, version
from telecine.ffmpeg.errors import RunnerError


def test_the_wheel_has_one() -> None:
    assert re.match(r"\d+\.\d+", version(find_ffmpeg(None)))


def test_a_setting_wins(tmp_path: Path) -> None:
    own = tmp_path / "ffmpeg"
    own.symlink_to(find_ffmpeg(None))
    assert find_ffmpeg(str(own)) == find_ffmpeg(None)


def test_a_setting_that_names_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="no program at"):
        find_ffmpeg(str(tmp_path / "ffmpeg"))


def test_another_program_is_no_ffmpeg() -> None:
    with pytest.raises(RunnerError):
        version(Path("/bin/true"))
