"""What a worker finds to encode with; what it does not find it says once, and does without."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from telecine.db.engine import Database
from telecine.processes.worker import bench, equipped, extra_codecs
from telecine.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("encoder", ["software", "videotoolbox"])
async def test_software_is_used_where_hardware_is_not(
    db: Database, tmp_path: Path, encoder: str
) -> None:
    settings = Settings(data=tmp_path, encoder=encoder)
    with capture_logs() as logs:
        place = await equipped(settings, bench(settings, db))
    assert place.hardware is None
    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert len(warnings) == (encoder != "software")
    for line in warnings:
        assert line["event"] == "encode in software"
        assert line["cannot_use"] == encoder
        assert "Unknown encoder" in line["reason"] or "option" in line["reason"]


def ffmpeg_with(folder: Path, *encoders: str) -> Path:
    path = folder / "ffmpeg"
    lines = "\n".join(f" V....D {name}  some encoder" for name in encoders)
    path.write_text(f"#!/bin/sh\ncat <<END\nEncoders:\n ------\n{lines}\nEND\n")
    path.chmod(0o755)
    return path


def test_a_codec_without_an_encoder_is_left_out(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, extra_codecs="hevc,av1")
    with capture_logs() as logs:
        found = extra_codecs(settings, ffmpeg_with(tmp_path, "libx264", "libx265"))
    assert found == ("hevc",)
    assert [(line["codec"], line["missing"]) for line in logs] == [("av1", "libsvtav1")]
    both = ffmpeg_with(tmp_path, "libx265", "libsvtav1")
    with capture_logs() as logs:
        assert extra_codecs(settings, both) == ("hevc", "av1")
    assert logs == []
