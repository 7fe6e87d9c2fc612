# SPDX-License-Identifier: Apache-2.0
"""Building the runtimes from a checkout of chiphost's source, with CMake. Only changed files are built again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from .._system.cpus import usable_cpus
from .._system.deadline import Deadline, DeadlineOver
from ..errors import make_error

_PROJECT: Final = re.compile(r"^\s*project\s*\(\s*chiphost\b", re.MULTILINE | re.IGNORECASE)
_OPTIONS: Final = ("-DCHIPHOST_PYTHON=OFF", "-DCHIPHOST_TESTS=OFF", "-DCMAKE_BUILD_TYPE=Release")
_BUILD_FILES: Final = ("build.ninja", "Makefile")  # there is one of them as soon as a folder is configured
_OUTPUT_BYTES_MAX: Final = 16 << 10  # the end of a failed command's output


def find_source(chosen: Path | None = None) -> Path:
    """The checkout to build: `chosen`, else the working folder or the first one above it that is a checkout.

    Raises ArgumentError (INVALID_ARGUMENT) if that is no checkout, or if one above the working folder is another
    user's.
    """
    here = Path.cwd()
    for folder in [chosen.absolute()] if chosen else [here, *here.parents]:
        if _is_checkout(folder):
            if not chosen and folder != here:
                _check_owner(folder)
            return folder
    if chosen:
        raise make_error("INVALID_ARGUMENT", "it is no checkout of chiphost: no CMakeLists.txt names it", str(chosen))
    message = f"neither {here} nor a folder above it is a checkout of chiphost"
    raise make_error("INVALID_ARGUMENT", message, "source", hint="change to the checkout, or name it with --source")


def build(source: Path, deadline: Deadline) -> Path:
    """Configure a build folder in the checkout, once, and build what is out of date. Returns the folder of programs.

    Raises:
        CompileError: COMPILER_MISSING if there is no CMake, COMPILE_FAILED with what it said.
        DeadlineOver: the deadline came first; the build goes on from there the next time.
    """
    # The tools may be beside Python: pip puts CMake and ninja there, and a virtual environment need not be activated.
    search = os.pathsep.join(filter(None, [os.environ.get("PATH", ""), str(Path(sys.executable).parent)]))
    cmake = shutil.which("cmake", path=search)
    if cmake is None:
        raise make_error(
            "COMPILER_MISSING", "there is no cmake on PATH", "--build-runtime", hint="pip install cmake ninja"
        )
    folder = source / "build" / "runtimes"
    environment = {**os.environ, "PATH": search}
    if not any((folder / name).is_file() for name in _BUILD_FILES):
        generator = ("-G", "Ninja") if shutil.which("ninja", path=search) else ()
        _run([cmake, "-S", str(source), "-B", str(folder), *generator, *_OPTIONS], environment, deadline)
    _run([cmake, "--build", str(folder), "--parallel", str(usable_cpus())], environment, deadline)
    return folder / "lib"


def _check_owner(folder: Path) -> None:
    """Refuse another user's checkout. Building runs its commands, and one above the folder may be anybody's (/tmp)."""
    for path in (folder, folder / "CMakeLists.txt"):
        owner = path.stat().st_uid
        if owner not in (0, os.geteuid()):
            message = f"this checkout above the working folder belongs to user {owner}"
            raise make_error("INVALID_ARGUMENT", message, str(path), hint="name it with --source if you trust it")


def _is_checkout(folder: Path) -> bool:
    try:
        return _PROJECT.search((folder / "CMakeLists.txt").read_text(errors="replace")) is not None
    except OSError:
        return False


def _run(command: Sequence[str], environment: dict[str, str], deadline: Deadline) -> None:
    if deadline.over:
        raise DeadlineOver
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise make_error("COMPILER_MISSING", f"{command[0]} could not be started: {error}") from error
        try:
            child.wait(None if deadline.seconds is None else max(deadline.left_s, 0))
        except subprocess.TimeoutExpired:
            raise DeadlineOver from None
        finally:
            if child.returncode is None:  # the deadline, or Ctrl-C
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        if child.returncode:
            message = f"cmake ended with exit code {child.returncode}\n{_end_of(output)}\ncommand: {' '.join(command)}"
            raise make_error("COMPILE_FAILED", message, "--build-runtime", hint="mend the source, then try again")


def _end_of(output: IO[bytes]) -> str:
    output.seek(max(output.seek(0, os.SEEK_END) - _OUTPUT_BYTES_MAX, 0))
    return output.read().decode(errors="replace").strip()
