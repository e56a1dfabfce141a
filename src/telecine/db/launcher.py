"""Becomes a PostgreSQL program: a stand-alone script, started with `python -I -S`.

Between fork and exec only a fresh interpreter may run our code: the parent has
threads, whose locks a forked child would inherit. Standard library only.

    launcher.py <parent pid> <death signal> <uid> <gid> <search: 0|1> program [argument...]

With uid -1 the user stays as it is. `search` keeps CAP_DAC_READ_SEARCH, so that
a folder below one that only root may enter (/root) can be reached.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def become(libc: ctypes.CDLL, uid: int, gid: int, *, search: bool) -> None:
    """Give up root for an account, all capabilities but the named one included."""
    if search:
        _check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "PR_SET_KEEPCAPS")
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if search:
        bit = 1 << CAP_DAC_READ_SEARCH
        sets = (_Sets * 2)(_Sets(bit, bit, bit), _Sets(0, 0, 0))
        header = _Header(_CAPABILITY_VERSION_3, 0)
        _check(libc.capset(ctypes.byref(header), sets), "capset")
        _check(
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0),
            "PR_CAP_AMBIENT_RAISE",
        )


def main(arguments: list[str]) -> None:
    """Drop root, tie our life to the parent's, become the program."""
    parent, death_signal, uid, gid, search = (int(word) for word in arguments[:5])
    program = arguments[5:]
    libc = ctypes.CDLL(None, use_errno=True)
    if uid >= 0:
        become(libc, uid, gid, search=bool(search))
    os.umask(0o077)
    if sys.platform == "linux" and death_signal:
        # After setuid, which clears it. It fires when the *thread* that started
        # us ends, hence the rule that only the main thread starts us.
        _check(libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0), "PR_SET_PDEATHSIG")
        if os.getppid() != parent:  # it died before the line above
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - the point of this script


if __name__ == "__main__":
    main(sys.argv[1:])
