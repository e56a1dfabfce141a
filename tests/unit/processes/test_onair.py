import socket
from pathlib import Path

import pytest

from telecine.processes.onair import node_name


def test_a_data_folder_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container has another host name each time it is made, and the same data."""
    name = node_name(tmp_path)
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert node_name(tmp_path) == name
    assert [each.name for each in tmp_path.iterdir()] == ["node"]
    other = tmp_path / "other"
    other.mkdir()
    assert node_name(other) not in ("", name)
