from pathlib import Path

import pytest

from telecine.cli import configuration
from telecine.log import MASK
from telecine.settings import Settings, environment_name


def test_every_setting_is_shown_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hidden-word@db/x")
    monkeypatch.setenv("TELECINE_API_KEY", "hidden-word-of-the-key")
    configuration.show(port=9)
    said = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"\n{environment_name(name)}" in f"\n{said}"
    assert "hidden-word" not in said
    assert f"DATABASE_URL=postgresql://me:{MASK}@db/x" in said
    assert f"TELECINE_API_KEY={MASK}" in said
    assert "TELECINE_PORT=9\n" in said
    assert "TELECINE_RATE_LIMIT__SANDBOX__READS=\n" in said
