# SPDX-License-Identifier: Apache-2.0
"""Small libraries for the audit, and its findings in them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import c_libraries

from chiphost._compiling import host_toolchain
from chiphost.audit import Audit

PLAIN = 'extern "C" int f(int x) { return x + 1; }\n'
UNIQUE = """
template <class T> struct S { static T v; };
template <class T> T S<T>::v = 3;
extern "C" int f() { return ++S<int>::v; }
"""
THREAD_LOCAL = 'thread_local char v[512];\nextern "C" char* f() { return v; }\n'


def build(folder: Path, source: str, *flags: str, name: str = "library.so") -> Path:
    """A small library."""
    output = folder / name
    if UNIQUE in source:
        c_libraries.needs_unique_symbols()
    command = host_toolchain.find_compiler().command
    words = [*command, "-x", "c++", "-", "-x", "none", "-O1", "-fno-builtin", "-shared", "-fPIC", "-o", output, *flags]
    done = subprocess.run(words, input=source, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return output


def calling(declaration: str, call: str) -> str:
    """A source that calls a function of another library."""
    return f'extern "C" {{\n{declaration};\nvoid g() {{ {call}; }}\n}}\n'


def ids(found: Audit) -> set[str]:
    return {finding.id for finding in found.findings}


def in_a_process(program: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
