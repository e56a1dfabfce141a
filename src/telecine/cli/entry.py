"""The entry point: runs a command and turns what stops it into an exit status."""

import contextlib
import sys

from telecine.processes.spawning import spawn_zygote, without_unused

SUPERVISING = frozenset({"serve", "api", "worker", "live", "demo"})
"""Commands that start processes."""


def main() -> None:
    """Run the command that the words of the command line name."""
    zygote = None
    if sys.argv[1:2] and sys.argv[1] in SUPERVISING and "--help" not in sys.argv:
        with contextlib.suppress(OSError):  # then it is tried again, and said
            zygote = spawn_zygote()
        with without_unused():  # loggers would format with it, words of usage shall
            import structlog  # noqa: F401, PLC0415
    # It imports meanwhile, and so do we: only now.
    import typer  # noqa: PLC0415

    from telecine.cli.app import app  # noqa: PLC0415
    from telecine.processes.exits import CannotGoOn, Exit  # noqa: PLC0415
    from telecine.settings import SettingsError  # noqa: PLC0415

    try:
        app(prog_name="telecine", obj=zygote)
    except SettingsError as error:
        typer.echo(f"telecine: wrong settings: {error}", err=True)
        sys.exit(Exit.SETTINGS_WRONG)
    except CannotGoOn as error:
        typer.echo(f"telecine: {error}", err=True)
        sys.exit(error.status)
