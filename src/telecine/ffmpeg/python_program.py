"""Running a module of ours as a confined program of its own."""

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import telecine
from telecine.ffmpeg.confinement import Program

_LIBRARIES: Final = ("numpy", "av")
"""What confined modules import beside the standard library and Telecine."""

# -S: site would read every .pth file of the environment, and those may import anything
# (coverage, for one). The folders that matter are given by name instead.
_START: Final = (
    "import sys; n = int(sys.argv[1]); sys.path += sys.argv[2:n + 2]; del sys.argv[1:n + 2];"
    "import runpy; runpy.run_module({module!r}, run_name='__main__')"
)


def python_program(module: str, arguments: Sequence[str]) -> Program:
    """Return the program that runs `module` as `__main__` with `sys.argv[1:] == arguments`."""
    folders = [str(folder) for folder in _import_folders()]
    # The real interpreter, not the environment's link: it then needs no pyvenv.cfg.
    interpreter = Path(sys.executable).resolve()
    options = ["-I", "-S", "-B", "-c", _START.format(module=module)]
    return Program(
        path=interpreter,
        argv=[str(interpreter), *options, str(len(folders)), *folders, *arguments],
        reads=[*_standard_folders(), *_import_folders()],
        # One thread each: a pool per core costs address space and start-up time.
        env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **_library_path()},
    )


def _library_path() -> dict[str, str]:
    """Return what a Python with a shared libpython in an odd place starts with."""
    path = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": path} if path else {}


@cache
def _standard_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix})
    folders = {Path(paths["stdlib"]), Path(paths["platstdlib"])}
    library = sysconfig.get_config_var("LIBDIR")
    if library and any(Path(library).glob("libpython*.so*")):
        folders.add(Path(library))
    return tuple(sorted(folders))


@cache
def _import_folders() -> tuple[Path, ...]:
    """Return the folders that hold Telecine and the libraries, each once."""
    return tuple(dict.fromkeys(_homes()))


def _homes() -> Iterator[Path]:
    yield Path(telecine.__path__[0]).resolve().parent
    for library in _LIBRARIES:
        found = importlib.util.find_spec(library)
        if found is not None and found.origin is not None:
            yield Path(found.origin).resolve().parent.parent
