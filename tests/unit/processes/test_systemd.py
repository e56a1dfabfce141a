import socket
from pathlib import Path

from telecine.processes.systemd import notify


def test_the_state_goes_to_the_named_socket(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        notify("READY=1", {"NOTIFY_SOCKET": str(path)})
        assert manager.recv(64) == b"READY=1"


def test_without_a_service_manager_nothing_happens() -> None:
    notify("READY=1", {})
