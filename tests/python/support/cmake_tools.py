# SPDX-License-Identifier: Apache-2.0
"""CMake for tests: the one of the test dependencies, even if its folder is not on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from chiphost._cli.program import cli

BUILD_S = 1500  # for a build, many times what it needs where two processors are free


def run(*command: object, **environment: str) -> str:
    words = [str(word) for word in command]
    environ = {**os.environ, **environment}
    done = subprocess.run(words, capture_output=True, text=True, timeout=BUILD_S, check=False, env=environ)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tool(name: str) -> str:
    # The test dependencies bring them; the folder of the environment need not be on PATH.
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    assert found, f"{name} is missing: pip install '.[test]'"
    return found


def ninja() -> list[str]:
    return ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}"]


def cmake_dir() -> Path:
    """The folder of the CMake package of this chiphost."""
    result = CliRunner().invoke(cli, ["cmake-dir"])
    assert result.exit_code == 0, result.output
    return Path(result.stdout.strip())
