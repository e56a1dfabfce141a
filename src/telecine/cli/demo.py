"""`telecine demo`: everything at once, for the first five minutes."""

import subprocess
import tempfile
import threading
from pathlib import Path

import typer

from telecine import log, settings
from telecine.cli.operating import connect
from telecine.cli.running import show_first_keys
from telecine.cli.upload import command
from telecine.cli.upload.wishes import Access, Options, Wishes
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.processes import serve as composition
from telecine.processes.exits import CannotGoOn
from telecine.processes.serve import Ready
from telecine.processes.spawning import Spawned

FOLDER = Path("telecine-demo")
CLIP_S = 20
_MAKE_S = 120


def run(zygote: Spawned | None, **flags: object) -> None:
    """Serve, and show a clip of our own making once requests are answered."""
    given = {name: value for name, value in flags.items() if value is not None}
    chosen = settings.load(**given).model_fields_set
    given = {**({} if "data" in chosen else {"data": FOLDER.absolute()}), **given}
    if "metrics_port" not in chosen:
        given["metrics_port"] = 0  # a demo shall not fail because of a port nobody asked for
    effective = settings.load(**given)
    log.configure(effective.log_format, "warning", process="supervisor")
    if "log_level" not in chosen:
        given["log_level"] = "warning"
    composition.run(effective, composition.ALL, _ready, given, zygote)


def _ready(ready: Ready) -> None:
    typer.echo(f"Telecine serves {ready.settings.public_url}")
    show_first_keys(ready)
    # A thread of its own: this one keeps the processes alive meanwhile.
    threading.Thread(target=_show, args=(ready.settings,), daemon=True).start()


def _show(effective: settings.Settings) -> None:
    try:
        with tempfile.TemporaryDirectory() as folder:
            clip = Path(folder) / "demo.mp4"
            _make_clip(effective, clip)
            operator = connect(effective.data, effective.public_url)
            project = operator.ask("GET", "/projects")["data"][0]["projectId"]
            key = operator.ask("POST", f"/projects/{project}/keys", json={"name": "demo"})
            access = Access(base_url=effective.public_url, key=key["apiKey"])
            # The clip is another one each time.
            options = Options(title="Telecine demo", tags=["demo"], resume=False)
            command.run(access, [clip], Wishes(options=options))
    except CannotGoOn as error:
        typer.echo(f"The demo clip failed: {error}", err=True)
    except subprocess.SubprocessError as error:
        typer.echo(f"The demo clip could not be made: {error}", err=True)
    typer.echo("Press Ctrl-C to stop.")


def _make_clip(effective: settings.Settings, path: Path) -> None:
    ffmpeg = find_ffmpeg(str(effective.ffmpeg) if effective.ffmpeg else None)
    subprocess.run(
        [
            *(ffmpeg, "-v", "error", "-y"),
            *("-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate=25:duration={CLIP_S}"),
            *("-f", "lavfi", "-i", f"sine=frequency=330:beep_factor=4:duration={CLIP_S}"),
            *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "50"),
            *("-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", str(path)),
        ],
        check=True,
        capture_output=True,
        timeout=_MAKE_S,
        start_new_session=True,
    )
