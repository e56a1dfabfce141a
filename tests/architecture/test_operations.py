"""What the pages for operators say is what the program does."""

import configparser
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from prometheus_client import REGISTRY

from telecine.domains.accounts.idempotency import never_again, once_by_caller, once_by_operator
from telecine.domains.analytics import buffer
from telecine.http.services import services_of
from telecine.processes import measuring
from telecine.processes.application import ROUTERS
from telecine.processes.exits import Exit
from telecine.processes.metrics import Children
from tests.architecture import settings_page
from tests.architecture.sources import ROOT

PAGES = ROOT / "docs" / "operations"
UNIT = ROOT / "deploy" / "telecine.service"


def first_cells(page: Path) -> list[str]:
    """Return the code words that tables begin their rows with."""
    return re.findall(r"^\| `?([^`|]+?)`? \|", page.read_text(), re.MULTILINE)


def test_the_page_of_settings_is_up_to_date() -> None:
    """If not: `python -m tests.architecture.settings_page`."""
    assert settings_page.PAGE.read_text() == settings_page.page()


def test_every_exit_status_is_explained() -> None:
    page = (PAGES / "starting-and-ending.md").read_text()
    told = re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.MULTILINE)
    assert told == [(str(int(status)), status.name) for status in Exit]


def test_every_metric_is_explained_and_nothing_else() -> None:
    # Makes them known to the registry.
    assert measuring.REQUESTS is not None
    assert buffer.EVENTS is not None
    ours = {family.name: family.type for family in REGISTRY.collect()}
    ours |= {family.name: family.type for family in Children([]).collect()}
    names = {
        name + ("_total" if kind == "counter" else "")
        for name, kind in ours.items()
        if name.startswith("telecine_")
    }
    told = first_cells(PAGES / "health-and-metrics.md")
    assert {name for name in told if name.startswith("telecine_")} == names


def test_every_check_of_readiness_is_explained() -> None:
    told = first_cells(PAGES / "health-and-metrics.md")
    assert {"database", "schema", "worker", "storage"} <= set(told)


def test_every_page_is_listed() -> None:
    listed = re.findall(r"\]\(([a-z-]+\.md)\)", (PAGES / "README.md").read_text())
    assert set(listed) == {page.name for page in PAGES.glob("*.md")} - {"README.md"}


def test_the_unit_does_not_start_again_what_will_not_pass() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    final = {int(word) for word in unit["Service"]["RestartPreventExitStatus"].split()}
    passing = {Exit.DISK_FULL, Exit.DATABASE_FAILED, Exit.KEEPS_DYING}
    of_commands = {Exit.DONE, Exit.FAILED, Exit.USAGE, Exit.SERVER_UNREACHABLE}
    assert final == set(Exit) - passing - of_commands
    assert unit["Service"]["Type"] == "notify"


_MAKES_NOTHING_TO_KEEP = {
    "/auth/api-key",  # tokens, which are secret and expire
    "/auth/refresh",
    "/_/videos/{videoId}/report",  # the next one replaces it
}


def calls(dependant: Dependant) -> Iterator[object]:
    for each in dependant.dependencies:
        yield each.call
        yield from calls(each)


def test_every_post_of_json_may_be_sent_twice_or_says_why_not() -> None:
    posts = [
        route
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ()) and route.body_field
    ]
    assert len(posts) > len(_MAKES_NOTHING_TO_KEEP)
    ways = {once_by_caller, once_by_operator, never_again}
    forgotten = {route.path for route in posts if not ways & set(calls(route.dependant))}
    assert forgotten == _MAKES_NOTHING_TO_KEEP


def test_no_operation_makes_a_thread_do_what_needs_none() -> None:
    """The framework calls what is no coroutine in a thread, for a fifth of a request's cost."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    called = {call for route in routes for call in (route.endpoint, *calls(route.dependant))}
    assert services_of in called
    assert {call for call in called if not inspect.iscoroutinefunction(call)} == set()
