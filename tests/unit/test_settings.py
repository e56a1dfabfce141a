import os
from pathlib import Path

import pytest

from telecine import settings
from telecine.live.studio import GRACE_S
from telecine.settings import Settings, SettingsError

KEY = "a-key-of-twenty-characters"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith("TELECINE_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_that_follow_from_others_do_not_count_as_set(tmp_path: Path) -> None:
    """`telecine demo` takes a folder of its own unless somebody chose one."""
    loaded = settings.load()
    assert loaded.data == tmp_path / "telecine-data"
    assert loaded.embed_url == "http://127.0.0.1:8080"
    assert loaded.model_fields_set == set()
    assert settings.load(port=8081).model_fields_set == {"port"}


def test_storage_and_urls_follow_from_folder_and_port(tmp_path: Path) -> None:
    found = settings.load(port=9000)
    assert found.storage == (tmp_path / "telecine-data" / "media").as_uri()
    assert found.public_url == found.embed_url == "http://127.0.0.1:9000"


def test_encoders_that_are_away_have_a_minute() -> None:
    """As encoders' manuals say; and as long they are left connected behind the end."""
    assert settings.load().live_grace_s == GRACE_S == 60


@pytest.mark.parametrize(("cores", "slots"), [(1, 1), (2, 1), (3, 1), (8, 4)])
def test_viewers_get_half_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, slots: int
) -> None:
    monkeypatch.setattr(settings, "usable_cores", lambda: cores)
    assert settings.load().viewer_slots == slots


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::1", "http://[::1]:1"),
        ("video.lan", "http://video.lan:1"),
    ],
)
def test_the_public_url_can_be_opened(host: str, url: str) -> None:
    assert settings.load(host=host, port=1).public_url == url


def test_urls_have_no_slash_at_the_end_and_may_differ() -> None:
    found = settings.load(public_url="https://a.example/", vod_url="https://cdn.example/")
    assert (found.api_url, found.vod_url) == ("https://a.example", "https://cdn.example")


def test_each_source_gives_way_to_the_one_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "telecine.toml").write_text("port = 1\n")
    assert settings.load().port == 1
    (tmp_path / ".env").write_text("TELECINE_PORT=2\nOTHER=x\n")
    assert settings.load().port == 2
    monkeypatch.setenv("TELECINE_PORT", "3")
    assert settings.load().port == 3
    assert settings.load(port=4).port == 4
    assert settings.load(port=None).port == 3


def test_empty_means_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_PORT", "")
    monkeypatch.setenv("DATABASE_URL", "")
    found = settings.load()
    assert (found.port, found.database_url) == (8080, None)


@pytest.mark.parametrize(
    "name",
    [
        "TELECINE_PORTT",
        "TELECINE_PORT_FILE",
        "TELECINE_DATABASE_URL",
        "TELECINE_PORT__X",
        "telecine_prt",
    ],
)
def test_unknown_names_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=name):
        settings.load()


def test_unknown_names_in_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TELECINE_PORTT=2\n")
    with pytest.raises(SettingsError, match="TELECINE_PORTT"):
        settings.load()
    (tmp_path / ".env").unlink()
    (tmp_path / "telecine.toml").write_text("portt = 1\n")
    with pytest.raises(SettingsError, match="PORTT"):
        settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELECINE_PORT", "http"),
        ("TELECINE_PORT", "70000"),
        ("TELECINE_SANDBOX", "maybe"),
        ("TELECINE_PUBLIC_URL", "video.example.com"),
        ("TELECINE_API_KEY", "short"),
        ("TELECINE_RATE_LIMIT__SANDBOX__READS", "0"),
        ("TELECINE_RATE_LIMIT__SANDBOX__REEDS", "1"),
        ("TELECINE_SUMMARY_COMMAND", "sum 'up"),
        ("TELECINE_TRANSCRIPT_LIMIT_S", "200000"),
        ("DATABASE_URL", "mysql://h/d"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        settings.load()


def test_groups_are_entered_by_two_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_RATE_LIMIT__SANDBOX__UPLOADS", "40")
    found = settings.load().rate_limit
    assert (found.sandbox.uploads, found.production.uploads) == (40, None)


def test_proxies_are_listed_by_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    assert settings.load().trusted_proxies == ("10.0.0.0/8", "::1")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_a_database_becomes_one(scheme: str) -> None:
    found = settings.load(database_url=f"{scheme}://u:p@h/d").database_url
    assert found is not None
    assert found.get_secret_value() == "postgresql://u:p@h/d"


@pytest.mark.parametrize(
    ("name", "text"), [("TELECINE_SECRET_KEY", KEY), ("DATABASE_URL", "postgresql://u:p@h/d")]
)
def test_secrets_may_come_from_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(text + "\n")
    monkeypatch.setenv(f"{name}_FILE", str(file))
    found = getattr(settings.load(), name.removeprefix("TELECINE_").lower())
    assert found.get_secret_value() == text


def test_secret_files_may_be_named_in_dotenv(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(KEY)
    (tmp_path / ".env").write_text("TELECINE_API_KEY_FILE=secret\n")
    found = settings.load().api_key
    assert found is not None
    assert found.get_secret_value() == KEY


def test_a_secret_file_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_API_KEY_FILE", "/nowhere")
    with pytest.raises(SettingsError, match=r"TELECINE_API_KEY_FILE.*/nowhere"):
        settings.load()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_API_KEY", KEY)
    assert KEY not in repr(settings.load())


def test_every_field_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_networks_hosts_and_a_proxy_of_the_operator_are_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TELECINE_OUTBOUND_ALLOW", "10.0.0.0/8, nas.lan,*.corp.example")
    monkeypatch.setenv("TELECINE_OUTBOUND_PROXY", "http://me:hunter2@proxy.lan:3128")
    found = settings.load()
    assert found.outbound_allow == ("10.0.0.0/8", "nas.lan", "*.corp.example")
    assert "hunter2" not in repr(found)
    monkeypatch.setenv("TELECINE_OUTBOUND_ALLOW", "10.0.0.0/99")
    monkeypatch.setenv("TELECINE_OUTBOUND_PROXY", "socks5://proxy.lan")
    with pytest.raises(SettingsError, match=r"OUTBOUND_ALLOW.*OUTBOUND_PROXY"):
        settings.load()
