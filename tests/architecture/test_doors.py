"""What may be done in one place only: start programs, read clocks, draw random numbers."""

import ast
from collections.abc import Iterator

from tests.architecture.sources import (
    calls,
    dotted,
    imported,
    module,
    place,
    python_files,
    tree,
)

SRC_FILES = python_files("src")
TEST_FILES = python_files("tests")

STARTS_PROGRAMS = {
    "cli/demo",  # draws its clip with ffmpeg
    "db/account",  # makes the account of the embedded server
    "db/embedded",  # the PostgreSQL child
    "db/launcher",  # becomes that child
    "domains/words/leash",  # becomes the operator's program
    "ffmpeg/binary",  # asks an ffmpeg for its version
    "ffmpeg/child",  # starts the launcher
    "ffmpeg/launcher",  # becomes ffmpeg, confined
    "processes/spawning",  # the zygote
    "processes/zygote",  # becomes the supervisor's children
}
PROGRAM_CALLS = {
    "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell",
    "os.fork",
    "os.forkpty",
    "os.popen",
    "os.posix_spawn",
    "os.posix_spawnp",
    "os.system",
}
PROGRAM_CALL_STARTS = ("os.exec", "os.spawn", "subprocess.")

DEMUXES = {
    # Run by the sandboxed probe program only, which imports them inside of its functions.
    "pipeline/demuxed_probe",
    "pipeline/demuxing",
}
STARTS_DEMUXING = {"pipeline/demuxed_probe", "pipeline/probe_program"}

KEEPS_TASKS_ITSELF = {
    "delivery/media",  # one load that several waiting viewers share
    "live/edge",  # reads a frame while it looks whether anybody watches
    "live/origin",  # the end of an event or of an edge, whichever comes first
    "live/rtmp_server",  # an admission, which ends with its connection
    "live/srt_server",  # likewise
    "live/studio",  # events, which outlive their connections; ended by `close`
    "delivery/wishes",  # a block that lives in a generator, where groups must not
}

READS_CLOCKS = {
    "clock",
}
NOW_CALLS = {"date.today", "datetime.now", "datetime.today", "datetime.utcnow"}

RANDOM_MODULES = {"random", "secrets"}
RANDOM_CALLS = {
    "os.getrandom",
    "os.urandom",
    "uuid.uuid1",
    "uuid.uuid4",
    "uuid.uuid6",
    "uuid.uuid7",
}

DIALS = {
    "live/nodes",  # the owner of an event, where the operator has put it
    "processes/checks",  # asks our own port whether we are alive
}
CLIENTS = {"aiohttp", "ftplib", "httpcore", "httpx", "requests", "urllib3"}
CLIENT_MODULES = ("http.client", "urllib.request")
CLIENT_CALLS = {"asyncio.open_connection", "anyio.connect_tcp", "socket.create_connection"}
CLIENT_METHODS = {"create_connection", "sock_connect"}

WAITS = {
    "tests/contract/python/walk.py",  # runs in another interpreter, beside the official client
    "tests/fixtures/waiting.py",
}
SLEEPS = {"sleep", "wait_for_timeout"}


def test_foreign_bytes_are_demuxed_in_the_probe_program_only() -> None:
    by_module = {module(path): {name for _, name in imported(path)} for path in SRC_FILES}
    demuxing = {name for name, names in by_module.items() if any(at(each, "av") for each in names)}
    assert demuxing == DEMUXES
    modules = tuple(f"telecine.{name.replace('/', '.')}" for name in sorted(DEMUXES))
    using = {
        name
        for name, names in by_module.items()
        if any(at(each, other) for each in names for other in modules)
    }
    assert using == STARTS_DEMUXING


def at(imported_name: str, package: str) -> bool:
    return imported_name == package or imported_name.startswith(f"{package}.")


def test_programs_are_started_in_the_listed_places() -> None:
    found = {
        module(path)
        for path in SRC_FILES
        for _, name in calls(tree(path))
        if name in PROGRAM_CALLS or name.startswith(PROGRAM_CALL_STARTS)
    }
    assert found == STARTS_PROGRAMS, "keep the list as short as the truth"


def test_only_clock_reads_clocks() -> None:
    found = [
        f"{place(path, node)} {name}"
        for path in SRC_FILES
        if module(path) not in READS_CLOCKS
        for node, name in (*imported(path), *calls(tree(path)))
        if name.split(".")[0] == "time" or ".".join(name.split(".")[-2:]) in NOW_CALLS
    ]
    assert found == []


def test_only_ids_draws_random_numbers() -> None:
    found = [
        f"{place(path, node)} {name}"
        for path in SRC_FILES
        if module(path) != "ids"
        for node, name in (*imported(path), *calls(tree(path)))
        if name.split(".")[0] in RANDOM_MODULES or name in RANDOM_CALLS
    ]
    assert found == []


def test_only_net_dials_other_servers() -> None:
    """A URL of a user's reaches nothing that `net` does not guard."""
    found = {
        module(path)
        for path in SRC_FILES
        if not module(path).startswith(("net/", "cli/"))
        for _, name in (*imported(path), *calls(tree(path)))
        if name.split(".")[0] in CLIENTS
        or name.startswith(CLIENT_MODULES)
        or name in CLIENT_CALLS
        or name.rpartition(".")[2] in CLIENT_METHODS
    }
    assert found == DIALS, "keep the list as short as the truth"


def test_tasks_live_in_groups() -> None:
    found = [
        f"{place(path, call)} {name}"
        for path in SRC_FILES
        if module(path) not in KEEPS_TASKS_ITSELF
        for call, name in calls(tree(path))
        if name.rpartition(".")[2] in {"create_task", "ensure_future"}
        and name.rpartition(".")[0] not in set(task_groups(tree(path)))
    ]
    assert found == []


def task_groups(root: ast.AST) -> Iterator[str]:
    """Yield the names under which a file holds task groups."""
    for node in ast.walk(root):
        if isinstance(node, ast.AsyncWith):
            for item in node.items:
                made = item.context_expr
                if isinstance(made, ast.Call) and dotted(made.func).endswith("TaskGroup"):
                    yield dotted(item.optional_vars) if item.optional_vars else "?"
        elif isinstance(node, ast.arg) and node.annotation:
            yield from [node.arg] if dotted(node.annotation).endswith("TaskGroup") else []


def test_only_db_ends_transactions() -> None:
    found = [
        f"{place(path, call)} {name}"
        for path in SRC_FILES
        if not module(path).startswith("db/")
        for call, name in calls(tree(path))
        if name.rpartition(".")[2] in {"commit", "rollback"}
    ]
    assert found == []


def test_tests_wait_for_conditions_not_for_time() -> None:
    found = [
        f"{place(path, call)} {name}"
        for path in TEST_FILES
        if place(path) not in WAITS
        for call, name in calls(tree(path))
        # sleep(0) only lets other tasks run
        if name.rpartition(".")[2] in SLEEPS and [ast.unparse(each) for each in call.args] != ["0"]
    ]
    assert found == []
