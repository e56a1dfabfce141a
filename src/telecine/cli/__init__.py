"""The command line: `telecine <command>`."""

from telecine.cli.entry import main

__all__ = ["main"]
