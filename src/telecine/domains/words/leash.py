"""Become the operator's program, and die with the worker.

Run as `python -I -S leash.py PARENT FOLDER PROGRAM ARGUMENT...`, never imported by a parent:
what it does must happen in the process that becomes the program, which then works in the
folder. Standard library only.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(words: list[str]) -> None:
    """Become the program; only a failure returns."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != int(words[0]):
        os._exit(127)  # the worker died first
    # The parent's spawn blocks these, and Python ignores that one.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.chdir(words[1])
        os.execvp(words[2], words[2:])  # noqa: S606 - the operator's own words
    except OSError as error:
        sys.stderr.write(f"{words[2]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
