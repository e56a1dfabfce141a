"""Files and functions stay small enough to be read in one go."""

from pathlib import Path

from tests.architecture.sources import ROOT, functions, place, python_files, script_files

FILE_LINES = 400
TEST_LINES = 450  # cases, one after the other
STYLE_SHEET_LINES = 800  # a list, not a train of thought
FUNCTION_LINES = 80
REFUSED_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}

PYTHON_FILES = python_files("src", "tests", "benchmarks")
FILES = [*PYTHON_FILES, *script_files()]


def allowed_lines(path: Path) -> int:
    if path.suffix == ".css":
        return STYLE_SHEET_LINES
    return TEST_LINES if path.name.startswith("test_") else FILE_LINES


def test_a_file_is_one_idea() -> None:
    """Migrations are lists of columns: they are let alone."""
    lines = {path: len(path.read_text().splitlines()) for path in FILES}
    long = [
        f"{place(path)}: {count} lines"
        for path, count in lines.items()
        if "versions" not in path.parts and count > allowed_lines(path)
    ]
    assert long == []


def test_a_function_fits_a_screen_and_a_half() -> None:
    """Migrations are lists of columns: they are let alone."""
    long = [
        f"{place(path, function)} {function.name}"
        for path in PYTHON_FILES
        if "versions" not in path.parts
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno >= FUNCTION_LINES
    ]
    assert long == []


def test_names_say_what_is_inside() -> None:
    vague = [
        place(path)
        for path in FILES
        if REFUSED_NAMES & {*path.relative_to(ROOT).parent.parts, path.stem}
    ]
    assert vague == []
