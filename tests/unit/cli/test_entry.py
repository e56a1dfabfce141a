"""What the entry point does before anything else."""

import subprocess
import sys

HEAVY = ("typer", "pydantic", "structlog", "asyncio")


def test_the_command_line_is_imported_after_the_zygote_was_spawned() -> None:
    asked = f"import sys, telecine.cli; print([n for n in {HEAVY!r} if n in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
