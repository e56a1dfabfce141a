"""Where the processes of one machine meet about live streams."""

import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from telecine import ids
from telecine.http.services import IngestProtocol
from telecine.settings import Settings

_SOCKET_PATH_BYTES = 100  # sun_path holds 108
_NAME = "live.sock"
_NODE = "node"


def owner_socket(data: Path) -> Path:
    """Return where the process that owns events listens for edges.

    In the data folder, or where its path is too long for a socket, in a folder of our own
    that nobody else can have made.
    """
    path = data / _NAME
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
        return path
    folder = Path(tempfile.gettempdir()) / f"telecine-{os.getuid()}-{_short(data)}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        msg = f"{folder} belongs to somebody else"
        raise PermissionError(msg)
    return folder / _NAME


def node_name(data: Path) -> str:
    """Return the name under which events of a data folder are recorded, which is kept there.

    A machine may be renamed, as a container is each time it is made anew; recordings that were
    not stored yet are found by this name. Raises OSError.
    """
    file = data / _NODE
    if not file.exists():
        made = file.with_name(f"{_NODE}.{ids.nonce()}")
        with made.open("w") as writing:
            writing.write(f"{socket.gethostname()}:{_short(data)}\n")
            writing.flush()
            os.fsync(writing.fileno())
        with suppress(FileExistsError):  # another process was quicker
            file.hardlink_to(made)
        made.unlink()
    return file.read_text().strip()


def ingest_urls(settings: Settings) -> dict[IngestProtocol, str]:
    """Return where encoders publish to, on the host of the live URLs.

    The stream key goes behind a slash, or behind what ends with `streamid=`.
    """
    if not settings.live_processes:
        return {}
    host = urlsplit(settings.live_url).hostname or "localhost"
    shown = f"[{host}]" if ":" in host else host
    return {
        "rtmp": f"rtmp://{shown}:{settings.rtmp_port}/s",
        "rtmps": f"rtmps://{shown}:{settings.rtmps_port}/s",
        "srt": f"srt://{shown}:{settings.srt_port}?streamid=",
    }


def _short(data: Path) -> str:
    return ids.digest(str(data)).hex()[:12]
