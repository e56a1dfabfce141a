"""`telecine doctor`: is everything there, and do rows and objects agree."""

import asyncio
import sys

from rich.console import Console
from rich.table import Table

from telecine import log, settings
from telecine.processes import checks
from telecine.processes.checks import Verdict
from telecine.processes.exits import Exit
from telecine.processes.fsck import compare

_STYLES = {Verdict.GOOD: "green", Verdict.NOTE: "yellow", Verdict.BAD: "bold red"}


def run(*, fsck: bool, **flags: object) -> None:
    """Print what was found; exit with 1 if anything is wrong."""
    effective = settings.load(**flags)
    log.configure(effective.log_format, "error")
    sound = _check_objects(effective) if fsck else _check_machine(effective)
    if not sound:
        sys.exit(Exit.FAILED)


def _check_machine(effective: settings.Settings) -> bool:
    findings = asyncio.run(checks.check_all(effective))
    table = Table(box=None, show_header=False)
    for each in findings:
        style = _STYLES[each.verdict]
        table.add_row(f"[{style}]{each.verdict}[/]", each.part, each.text)
    _console().print(table)
    return all(each.verdict is not Verdict.BAD for each in findings)


def _check_objects(effective: settings.Settings) -> bool:
    report = asyncio.run(compare(effective))
    console = _console()
    for problem in report.problems:
        console.print(
            f"[bold red]{problem.kind}[/] {problem.key} ({problem.owner})", soft_wrap=True
        )
    console.print(
        f"{report.objects} objects, {report.references} references, "
        f"{report.unsettled} objects of unfinished work, {len(report.problems)} problems"
    )
    return not report.problems


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 1000, highlight=False)
