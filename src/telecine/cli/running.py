"""`telecine serve`, `api`, `worker`, `live`: the supervisor, and what it tells a person."""

import typer

from telecine import log, settings
from telecine.processes import serve as composition
from telecine.processes.serve import Parts, Ready
from telecine.processes.spawning import Spawned

_PARTS = {
    "serve": composition.ALL,
    "api": Parts(embedded=False, api=True),
    "worker": Parts(embedded=False, worker=True),
    "live": Parts(embedded=False, live=True),
}


def serve(command: str, zygote: Spawned | None, **flags: object) -> None:
    """Run a command's processes until a signal; `flags` may be None."""
    given = {name: value for name, value in flags.items() if value is not None}
    effective = settings.load(**given)
    log.configure(effective.log_format, effective.log_level, process="supervisor")
    tell = {"worker": _nothing, "live": _greet_encoders}.get(command, _greet)
    composition.run(effective, _PARTS[command], tell, given, zygote)


def _nothing(_ready: Ready) -> None:
    """Workers serve nobody who reads."""


def _greet_encoders(ready: Ready) -> None:
    host = ready.settings.host
    shown = f"[{host}]" if ":" in host else host
    settings = ready.settings
    addresses = (
        f"rtmp://{shown}:{settings.rtmp_port}/s",
        f"rtmps://{shown}:{settings.rtmps_port}/s",
        f"srt://{shown}:{settings.srt_port}",
    )
    typer.echo(f"Encoders publish to {' or '.join(addresses)}")


def _greet(ready: Ready) -> None:
    if ready.live:
        _greet_encoders(ready)
    typer.echo(f"Telecine serves {ready.settings.public_url}")
    if ready.first_keys is not None:
        show_first_keys(ready)


def show_first_keys(ready: Ready) -> None:
    """Print the keys that first start made; nothing shows them again."""
    keys = ready.first_keys
    if keys is None:
        return
    typer.echo(f"Project          {keys.project}")
    typer.echo(f"Production key   {keys.production_key}")
    typer.echo(f"Sandbox key      {keys.sandbox_key}")
    typer.echo(f"Dashboard        {ready.settings.public_url}/dashboard")
    typer.echo("Keep the keys: they are stored hashed and not shown again.")
