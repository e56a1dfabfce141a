from pathlib import Path

import pytest

from telecine import settings


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", *settings.Settings.model_fields):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(settings.environment_name(name), raising=False)


def test_defaults_that_follow_from_others_do_not_count_as_set(tmp_path: Path) -> None:
    """`telecine demo` takes a folder of its own unless somebody chose one."""
    loaded = settings.load()
    assert loaded.data == tmp_path / "telecine-data"
    assert loaded.embed_url == "http://127.0.0.1:8080"
    assert loaded.model_fields_set == set()
    assert settings.load(port=8081).model_fields_set == {"port"}
