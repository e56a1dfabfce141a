import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.server import TelecineServer, environment_without_settings, telecine

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(telecine_server: TelecineServer, tmp_path: Path) -> Run:
    """Run a command as its users do, beside the run's server."""

    def execute(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            telecine(*words),
            capture_output=True,
            check=False,
            text=True,
            errors="replace",  # what is printed may be no text
            cwd=tmp_path,
            env={
                **environment_without_settings(),
                "TELECINE_DATA": str(telecine_server.data),
                "TELECINE_PUBLIC_URL": telecine_server.base_url,
                "TELECINE_OPERATOR_KEY": telecine_server.operator_key,
                "XDG_STATE_HOME": str(tmp_path / "state"),
                **settings,
            },
        )

    return execute
