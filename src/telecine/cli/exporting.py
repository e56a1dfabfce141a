"""`telecine analytics export`: what was watched, on standard output."""

import asyncio
import sys
from datetime import UTC, datetime

import typer

from telecine import log, settings
from telecine.domains.analytics.store.exports import PARQUET, export
from telecine.processes.fsck import opened_database


def run(
    table: str,
    form: str,
    within: tuple[datetime | None, datetime | None],
    project: str | None,
    **flags: object,
) -> None:
    """Print a table; times without an offset are in UTC.

    Raises:
        typer.BadParameter: what is no text would go to a terminal.
    """
    if form == PARQUET and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is not for terminals: send it into a file (`> …`).")
    effective = settings.load(**flags)
    log.configure(effective.log_format, "error")
    begin, end = (each and each.replace(tzinfo=each.tzinfo or UTC) for each in within)
    asyncio.run(_print(effective, table, form, (begin, end), project))


async def _print(
    effective: settings.Settings,
    table: str,
    form: str,
    within: tuple[datetime | None, datetime | None],
    project: str | None,
) -> None:
    async with opened_database(effective) as db:
        async for lines in export(db, table, form, within, project):
            sys.stdout.buffer.write(lines)
