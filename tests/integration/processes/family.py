"""The processes of a Telecine, found by what the kernel tells."""

from pathlib import Path


def children(supervisor: int) -> dict[str, int]:
    """Return the pids of a supervisor's processes by name ("postgres", "zygote", "api-0")."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            name = (process / "comm").read_text().strip()
            parents = stat_parent(process), stat_parent(Path(f"/proc/{stat_parent(process)}"))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "telecine.processes.zygote" in words and supervisor in parents:
            found[name if "-" in name else "zygote"] = int(process.name)
        elif words[0].endswith("/postgres") and parents[0] == supervisor:
            found["postgres"] = int(process.name)
    return found


def stat_parent(process: Path) -> int:
    """Return the pid of a process's parent."""
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])


def descendants(root: int) -> set[int]:
    """Return the pids of all processes below one."""
    parents: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = stat_parent(process)
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(parent, []).append(int(process.name))
    found: set[int] = set()
    left = [root]
    while left:
        below = parents.get(left.pop(), [])
        found.update(below)
        left += below
    return found


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; zombies do not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
