from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.server import TelecineProcess, TelecineServer, running_telecine

Running = tuple[TelecineProcess, TelecineServer]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A Telecine of this module's own, whose children may be killed."""
    data = tmp_path_factory.mktemp("own") / "data"
    with running_telecine(data, {"TELECINE_API_PROCESSES": "2"}) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that does not exist yet."""
    return tmp_path / "data"
