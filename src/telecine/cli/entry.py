"""The entry point: runs a command and turns what stops it into an exit status."""

import sys

import typer

from telecine.cli.app import app
from telecine.processes.exits import CannotGoOn, Exit
from telecine.settings import SettingsError


def main() -> None:
    """Run the command that the words of the command line name."""
    try:
        app(prog_name="telecine")
    except SettingsError as error:
        typer.echo(f"telecine: wrong settings: {error}", err=True)
        sys.exit(Exit.SETTINGS_WRONG)
    except CannotGoOn as error:
        typer.echo(f"telecine: {error}", err=True)
        sys.exit(error.status)
