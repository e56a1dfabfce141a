"""`telecine config` as people run it: whatever a secret comes from, it is not printed."""

from pathlib import Path

import pytest

from telecine.log import MASK
from telecine.processes.exits import Exit
from tests.integration.cli.conftest import Run

SECRET = "hidden-word-0123456789"


def values(printed: str) -> dict[str, str]:
    lines = [line for line in printed.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize(
    "name",
    [
        "TELECINE_API_KEY",
        "TELECINE_API_KEY_SANDBOX",
        "TELECINE_OPERATOR_KEY",
        "TELECINE_SECRET_KEY",
    ],
)
@pytest.mark.parametrize("source", ["environment", "secret file", ".env", "toml"])
def test_no_secret_is_printed(run: Run, tmp_path: Path, name: str, source: str) -> None:
    settings = {"TELECINE_OPERATOR_KEY": ""}
    if source == "environment":
        settings[name] = SECRET
    elif source == "secret file":
        (tmp_path / "secret").write_text(SECRET + "\n")
        settings[f"{name}_FILE"] = str(tmp_path / "secret")
    elif source == ".env":
        (tmp_path / ".env").write_text(f"{name}={SECRET}\n")
    else:
        field = name.removeprefix("TELECINE_").lower()
        (tmp_path / "telecine.toml").write_text(f'{field} = "{SECRET}"\n')
    done = run("config", **settings)
    assert done.returncode == Exit.DONE, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert values(done.stdout)[name] == MASK


def test_urls_are_printed_without_their_passwords(run: Run) -> None:
    done = run(
        "config",
        DATABASE_URL=f"postgresql://me:{SECRET}@db.lan/x",
        TELECINE_OUTBOUND_PROXY=f"http://me:{SECRET}@proxy.lan:3128",
    )
    assert SECRET not in done.stdout + done.stderr
    assert values(done.stdout)["DATABASE_URL"] == f"postgresql://me:{MASK}@db.lan/x"


def test_flags_win_over_the_environment_and_that_over_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "telecine.toml").write_text('port = 1\nhost = "10.0.0.1"\nencode_slots = 3\n')
    printed = values(
        run("config", "--port", "3", TELECINE_PORT="2", TELECINE_HOST="10.0.0.2").stdout
    )
    assert printed["TELECINE_PORT"] == "3"
    assert printed["TELECINE_HOST"] == "10.0.0.2"
    assert printed["TELECINE_ENCODE_SLOTS"] == "3"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TELECINE_PORT": "70000"}, "TELECINE_PORT"),
        ({"TELECINE_NOPE": "1"}, "unknown setting TELECINE_NOPE"),
        ({"TELECINE_SECRET_KEY": "hidden"}, "TELECINE_SECRET_KEY: "),
        ({"DATABASE_URL": f"mysql://me:{SECRET}@db/x"}, "DATABASE_URL: "),
        ({"TELECINE_API_KEY_FILE": "/nowhere"}, "TELECINE_API_KEY_FILE"),
    ],
)
def test_wrong_settings_are_named_without_their_values(
    run: Run, settings: dict[str, str], words: str
) -> None:
    done = run("config", **settings)
    assert done.returncode == Exit.SETTINGS_WRONG
    assert words in done.stderr
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr
