"""Confine this process, then become the program that reads foreign media.

Run as `python -I -S launcher.py key=value... -- NAME ARGUMENT...`, never imported by a
parent: between fork and exec of a threaded parent almost no Python may run, so the parent
only spawns this program and all of the work happens here. Standard library only, and of
that only what starts quickly (`json` alone would cost ten milliseconds).

Keys: `exe` program to become; `parent` process id that must be alive; `policy` (`required`
or `off`); `uid` for when started as root; `cpu`, `memory`, `nice` limits; `filter` seccomp
program in hexadecimal; `read` a file or folder the program may read (repeatable); `device` a
device file it may use (repeatable), in whose group it then is; `env` one NAME=VALUE of its
environment (repeatable); `files` first descriptor that is closed.

What holds is written to descriptor 7 as one line of JSON, a failure as {"error": ...};
descriptor 7 closes with the exec, so its end of file says that the program runs.
"""

import ctypes
import os
import resource
import select
import signal
import struct
import sys

STATUS_FD = 7
PROGRAM_FD = 6
"""The seccomp program lets exactly this descriptor be executed."""

AUTOGROUP_TRIES = 5
AUTOGROUP_WAIT_S = 0.11
"""Users other than root may set one autogroup in 0.1 s, all of them together."""

PID_PLACEHOLDER = 0x7E1EC12E
"""Stands in the seccomp program where our process id belongs (see `seccomp.py`)."""

NEW_UTS, NEW_IPC, NEW_NET = 0x04000000, 0x08000000, 0x40000000
NEW_USER = 0x10000000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 22, 24
PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 28, 38
SECBIT_NOROOT_LOCKED = 0x3
CAPABILITY_VERSION_3 = 0x20080522

# Landlock: include/uapi/linux/landlock.h; the system call numbers are the same everywhere.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
IOCTL_DEV = 1 << 15
SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
SYSTEM_FILES = ("/etc/ld.so.cache", "/dev/null", "/dev/urandom")
DEVICE_FACTS = ("/sys/dev/char", "/sys/devices", "/sys/module", "/proc/driver/nvidia")
"""Where drivers look up what a device is."""

_libc = ctypes.CDLL(None, use_errno=True)


class _PathBeneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr`, which is packed."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


class _FilterProgram(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class LaunchError(Exception):
    """The program must not be started."""


def _prctl(option: int, *arguments: int) -> int:
    # All five as unsigned long: prctl(PR_SET_NO_NEW_PRIVS) is EINVAL unless the last
    # three are zeros of full width.
    padded = [option, *arguments, 0, 0, 0, 0][:5]
    return int(_libc.prctl(*[ctypes.c_ulong(value) for value in padded]))


def _syscall(number: int, *arguments: object) -> int:
    return int(_libc.syscall(ctypes.c_long(number), *arguments))


def _failure() -> str:
    return os.strerror(ctypes.get_errno())


def _interpreter(program_fd: int) -> str | None:
    """Return the dynamic loader that an ELF program names (PT_INTERP), if it names one."""
    head = os.pread(program_fd, 64, 0)
    if head[:5] != b"\x7fELF\x02":
        return None
    table, size, count = *struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54)
    for index in range(count):
        entry = os.pread(program_fd, size, table + index * size)
        if struct.unpack_from("<I", entry)[0] == 3:
            offset, length = struct.unpack_from("<Q16xQ", entry, 8)
            return os.fsdecode(os.pread(program_fd, length, offset).rstrip(b"\0"))
    return None


class Landlock:
    """A ruleset that allows one program, its libraries and the listed paths."""

    def __init__(self) -> None:
        self.version = _syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
        self.state = "on" if self.version > 0 else _failure()
        self._ruleset = -1
        if self.version < 1:
            return
        files = (1 << 13) - 1
        for version, right in ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15)):
            if self.version >= version:
                files |= right
        net = 0b11 if self.version >= 4 else 0  # TCP bind and connect
        scope = 0b11 if self.version >= 6 else 0  # abstract sockets, signals
        size = 24 if self.version >= 6 else 16 if self.version >= 4 else 8
        rights = struct.pack("<QQQ", files, net, scope)[:size]
        self._ruleset = _syscall(CREATE_RULESET, rights, ctypes.c_size_t(size), ctypes.c_uint32(0))
        if self._ruleset < 0:
            self.state, self.version = _failure(), 0

    def allow(self, path: str, access: int) -> None:
        """Grant `access` below `path`; a path that does not exist needs no grant."""
        if self._ruleset < 0:
            return
        try:
            beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        self.allow_open(beneath, access, path)
        os.close(beneath)

    def allow_open(self, beneath: int, access: int, path: str) -> None:
        """Grant `access` below an open descriptor."""
        if self._ruleset < 0:
            return
        if not os.path.isdir(f"/proc/self/fd/{beneath}"):  # noqa: PTH112
            access &= ~READ_DIR  # the kernel refuses a folder's right on a file
        rule = ctypes.byref(_PathBeneath(access, beneath))
        ruleset = ctypes.c_int(self._ruleset)
        if _syscall(ADD_RULE, ruleset, ctypes.c_int(1), rule, ctypes.c_uint32(0)) != 0:
            raise LaunchError(f"Landlock does not take {path}: {_failure()}")

    def restrict(self) -> int | str:
        """Put the rules into force; return the ABI version or why it failed."""
        if self._ruleset < 0:
            return self.state
        failed = _syscall(RESTRICT_SELF, ctypes.c_int(self._ruleset), ctypes.c_uint32(0))
        os.close(self._ruleset)
        if failed:
            self.version = 0
            return _failure()
        return self.version


def _everyone_may(path: str, bits: int) -> bool:
    """Tell whether an unprivileged user has `bits` on `path` and may walk there."""
    path = os.path.realpath(path)
    try:
        if os.stat(path).st_mode & bits != bits:  # noqa: PTH116
            return False
        while path != "/":
            path = os.path.dirname(path)  # noqa: PTH120
            if not os.stat(path).st_mode & 0o001:  # noqa: PTH116
                return False
    except OSError:
        return False
    return True


def _drop_capabilities() -> None:
    """Leave root its files but none of its powers, over the exec too."""
    if _prctl(PR_SET_SECUREBITS, SECBIT_NOROOT_LOCKED):
        raise LaunchError(f"root keeps its capabilities: {_failure()}")
    capability = 0
    while _prctl(PR_CAPBSET_DROP, capability) == 0:
        capability += 1
    header = struct.pack("<Ii", CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, bytes(24)):
        raise LaunchError(f"capabilities cannot be dropped: {_failure()}")


def _drop_root(uid: int, reads: list[str], groups: list[int], landlocked: bool) -> str:
    """Give up root; return how.

    An installation in a folder that is root's alone (/root) could not be read by `uid`.
    There, if Landlock keeps everything else closed, root stays as a user without powers.
    """
    program_ok = os.fstat(PROGRAM_FD).st_mode & 0o005 == 0o005
    if landlocked and not (program_ok and all(_everyone_may(path, 0o004) for path in reads)):
        _drop_capabilities()
        return "0 without capabilities"
    os.setgroups(groups)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    return str(uid)


def _limit(cpu_s: int, memory_bytes: int, niceness: int) -> None:
    wanted = (
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 2),  # SIGXCPU first, then SIGKILL
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_FSIZE, 0, 0),  # every output is a pipe
        (resource.RLIMIT_NOFILE, 64, 64),
        (resource.RLIMIT_CORE, 0, 0),
    )
    for kind, soft, hard in wanted:
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)  # noqa: PLW2901
        resource.setrlimit(kind, (soft, hard))
    _yield_to_others(niceness)


def _yield_to_others(niceness: int) -> None:
    """Take a smaller share of the processors.

    Where the kernel gives each session a share of its own, the niceness of a process counts
    among those of its session only, and each run is one: the session's has to be set, too
    (sched(7), autogroups).
    """
    os.nice(niceness)
    if not niceness:
        return
    for _ in range(AUTOGROUP_TRIES):
        try:
            with open("/proc/self/autogroup", "w") as group:  # noqa: PTH123
                group.write(str(niceness))
        except BlockingIOError:
            select.select((), (), (), AUTOGROUP_WAIT_S)
        except OSError:
            return  # there are none
        else:
            return


def _filter_calls(program: bytes) -> bool | str:
    """Put the seccomp program into force; return True or why it failed."""
    if not program:
        return "no table of system calls for this processor"
    pid = struct.pack("<I", os.getpid())
    program = program.replace(struct.pack("<I", PID_PLACEHOLDER), pid)
    instructions = ctypes.create_string_buffer(program, len(program))
    loaded = _FilterProgram(len(program) // 8, ctypes.addressof(instructions))
    if _prctl(PR_SET_SECCOMP, 2, ctypes.addressof(loaded)):
        return _failure()
    return True


def _report(**facts: object) -> None:
    def text(fact: object) -> str:
        if isinstance(fact, bool | int):
            return str(fact).lower()
        plain = str(fact).encode("ascii", "replace").decode()
        return '"' + "".join(c if c.isprintable() and c not in '"\\' else " " for c in plain) + '"'

    line = ", ".join(f'"{name}": {text(fact)}' for name, fact in facts.items())
    os.write(STATUS_FD, f"{{{line}}}\n".encode())


def _confine(
    landlock: Landlock, uid: int, reads: list[str], devices: list[str], filter_program: bytes
) -> None:
    """Apply the layers that need `policy=required` and report them."""
    apart, user = NEW_NET | NEW_IPC | NEW_UTS, str(os.geteuid())
    if os.geteuid():
        # Within a user namespace everybody has all powers: they are given up again.
        namespaces = _libc.unshare(NEW_USER | apart) == 0 or _failure()
        if namespaces is True:
            _drop_capabilities()
    else:
        namespaces = _libc.unshare(apart) == 0 or _failure()
        groups = [os.stat(path).st_gid for path in devices if os.path.exists(path)]  # noqa: PTH110, PTH116
        user = _drop_root(uid, reads, groups, landlocked=landlock.version > 0)
    if _prctl(PR_SET_NO_NEW_PRIVS, 1):
        raise LaunchError(f"no_new_privs: {_failure()}")
    rules = landlock.restrict()
    calls = _filter_calls(filter_program)
    _report(landlock=rules, seccomp=calls, namespaces=namespaces, user=user)
    if calls is not True and landlock.version < 1:
        raise LaunchError("neither seccomp nor Landlock is available")


def _launch(
    settings: dict[str, str],
    reads: list[str],
    devices: list[str],
    env: dict[str, str],
    argv: list[str],
) -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    confined = settings["policy"] != "off"
    program = settings["exe"]
    opened = os.open(program, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(opened, PROGRAM_FD, inheritable=False)
    os.closerange(int(settings["files"]), 1 << 20)
    with open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
        score.write("800")  # before setuid, which closes the file to us
    landlock = None
    if confined:
        landlock = Landlock()
        landlock.allow_open(PROGRAM_FD, EXECUTE | READ_FILE, program)
        loader = _interpreter(PROGRAM_FD)
        if loader:
            landlock.allow(os.path.realpath(loader), EXECUTE | READ_FILE)
        for path in (*SYSTEM_LIBRARIES, *SYSTEM_FILES, *reads):
            landlock.allow(path, READ_FILE | READ_DIR)
        controls = IOCTL_DEV if landlock.version >= 5 else 0
        for path in devices:
            landlock.allow(path, READ_FILE | WRITE_FILE | controls)
        for path in DEVICE_FACTS if devices else ():
            landlock.allow(path, READ_FILE | READ_DIR)
    _limit(int(settings["cpu"]), int(settings["memory"]), int(settings["nice"]))
    if landlock is not None:
        calls = bytes.fromhex(settings["filter"])
        _confine(landlock, int(settings["uid"]), reads, devices, calls)
    else:
        _report(landlock="off", seccomp="off", namespaces="off", user=str(os.geteuid()))
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # again: setuid clears it
    if os.getppid() != int(settings["parent"]):
        raise LaunchError("the parent died first")
    os.execve(PROGRAM_FD if confined else program, argv, env)  # noqa: S606


def main(words: list[str]) -> None:
    """Read the settings from the command line and launch; only a failure returns."""
    end = words.index("--")
    pairs = [tuple(word.split("=", 1)) for word in words[:end]]
    settings = {key: value for key, value in pairs if key not in ("read", "device", "env")}
    reads = [value for key, value in pairs if key == "read"]
    devices = [value for key, value in pairs if key == "device"]
    env = dict(value.split("=", 1) for key, value in pairs if key == "env")
    os.set_inheritable(STATUS_FD, False)
    try:
        _launch(settings, reads, devices, env, words[end + 1 :])
    except (OSError, LaunchError, ValueError) as error:
        _report(error=f"{type(error).__name__}: {error}")
    os._exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
