# SPDX-License-Identifier: Apache-2.0
"""The flow graph of oneTBB, where it is installed: chiphost's own graphs are compared with it."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from .._compiling import host_toolchain

_TIMEOUT_S: Final = 120.0
_VERSION_SOURCE: Final = """
#include <oneapi/tbb/version.h>
#include <stdio.h>
int main() { return printf("%s\\n", TBB_runtime_version()) < 0; }
"""


class FlowGraphMissing(Exception):
    """oneTBB is missing or does not work; the text says why."""


def version() -> str:
    """The version of oneTBB that programs get here. Raises FlowGraphMissing."""
    with tempfile.TemporaryDirectory(prefix="chiphost-") as folder:
        source = Path(folder, "version.cpp")
        source.write_text(_VERSION_SOURCE)
        return _run([str(_build(source, Path(folder)))]).strip()


def measure(source: Path, tasks: int, repeats: int, threads: list[int]) -> list[dict[str, Any]]:
    """The output of flow_graph.cpp (`source`) for each number of threads. Raises FlowGraphMissing."""
    with tempfile.TemporaryDirectory(prefix="chiphost-") as folder:
        program = str(_build(source, Path(folder)))
        return [json.loads(_run([program, str(tasks), str(repeats), str(count)])) for count in threads]


def _build(source: Path, folder: Path) -> Path:
    program = folder / "program"
    compiler = host_toolchain.find_compiler()
    _run([*compiler.command, "-std=c++17", "-O2", str(source), "-o", str(program), "-ltbb", "-pthread"])
    return program


def _run(command: list[str]) -> str:
    try:
        answer = subprocess.run(
            command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S, text=True
        )
    except subprocess.CalledProcessError as error:
        words = [line for line in error.stderr.splitlines() if "error" in line or "cannot find" in line]
        if missing := re.search(r"(oneapi/\S+): No such file", "\n".join(words)):
            raise FlowGraphMissing(f"there is no header {missing[1]} (Debian: libtbb-dev)") from error
        raise FlowGraphMissing((words or [str(error)])[0].strip()) from error
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise FlowGraphMissing(str(error)) from error
    return answer.stdout
