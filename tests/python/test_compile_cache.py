# SPDX-License-Identifier: Apache-2.0
"""The compile cache: what it finds must be what a compile would give now, whatever happens to files and processes."""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import IO, ClassVar

import pytest
from foreign_user import CAN_GIVE_FILES_AWAY, FOREIGN_USER, a_foreign_folder, as_root
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chiphost import compiler
from chiphost._compiling import headers, host_toolchain
from chiphost._compiling.cache import CompileCache, Program
from chiphost._system import home, private_folder
from chiphost.errors import CacheError

COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
DAY_S = 24 * 3600
FAR_FUTURE_NS = 1 << 62  # a compile that starts then finds all files as they were


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CompileCache:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "cache"))
    return CompileCache()


def write_source(path: Path, value: int = 1, includes: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{includes}\nextern "C" int value() {{ return {value}; }}\n')
    return path


def build(source: Path, cache: CompileCache | None = None, /, **options: tuple[str, ...]) -> bytes:
    kernel = compiler.Kernel(0, source, "aiv", **options)  # type: ignore[arg-type]
    return compiler.compile_kernel(kernel, "a2a3sim", cache=cache).data


def build_fresh(source: Path, **options: tuple[str, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return build(source, CompileCache(Path(folder)), **options)


@pytest.fixture
def compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the compiler has compiled something so far."""
    log = tmp_path / "compiles"
    log.touch()
    spy_on_compiler(tmp_path / "cxx", f'echo >> "{log}"', monkeypatch)
    return lambda: len(log.read_text())


def spy_on_compiler(script: Path, before: str, monkeypatch: pytest.MonkeyPatch, after: str = "") -> None:
    """Make CXX a script that does something around each compile."""
    real = host_toolchain.find_compiler().path
    script.write_text(
        f'#!/bin/sh\ncase "$1" in --version|-dumpmachine) exec {real} "$@";; esac\n'
        f'{before}\n{real} "$@" || exit\n{after}\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))


def run_python(code: str, *args: object) -> subprocess.Popen[str]:
    """Another process that uses chiphost as this one does, with pipes to it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def files_of(root: Path, *parts: str) -> list[Path]:
    return [path for path in root.joinpath("v1", *parts).rglob("*") if path.is_file()]


# What is found again, and what is not


def test_the_second_time_nothing_is_compiled(tmp_path: Path, compiles: Callable[[], int]) -> None:
    source = write_source(tmp_path / "k.cpp", includes="#include <vector>")
    first = build(source)
    count = compiles()
    assert count
    assert build(source) == first
    source.touch()
    assert build(source) == first
    source.write_bytes(source.read_bytes())
    assert build(source) == first
    assert compiles() == count
    assert first == build_fresh(source)


def test_each_thing_that_decides_the_result_counts(
    tmp_path: Path, compiles: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "k.cpp", includes='#include "h.h"')
    header = tmp_path / "h.h"
    header.write_text("#define H 1\n")
    script = tmp_path / "exports"
    script.write_text("{ global: value; local: *; };\n")
    elsewhere = write_source(tmp_path / "elsewhere" / "k.cpp", includes='#include "../h.h"')

    def change(path: Path, text: str) -> None:
        path.write_text(text)

    plain: dict[str, tuple[str, ...]] = {}
    scripted: dict[str, tuple[str, ...]] = {"flags": ("-Wl,--version-script=exports",)}
    steps: list[tuple[Callable[[], object], Path, dict[str, tuple[str, ...]]]] = [
        (lambda: None, source, plain),
        (lambda: write_source(source, 2, '#include "h.h"'), source, plain),
        (lambda: change(header, "#define H 2\n"), source, plain),
        (lambda: None, source, {"defines": ("X",)}),
        (lambda: None, source, {"flags": ("-O1",)}),
        (lambda: None, source, {"include_dirs": (str(tmp_path / "elsewhere"),)}),
        (lambda: None, source, scripted),
        (lambda: change(script, "{ global: va*; local: *; };\n"), source, scripted),
        (lambda: None, elsewhere, plain),
        (lambda: monkeypatch.setenv("CPATH", str(tmp_path / "elsewhere")), source, plain),
        (lambda: (tmp_path / "cxx").touch(), source, plain),
    ]
    for prepare, path, options in steps:
        prepare()
        count = compiles()
        built = build(path, **options)
        assert compiles() > count
        count = compiles()
        assert build(path, **options) == built
        assert compiles() == count


def test_an_old_state_is_found_again(tmp_path: Path, compiles: Callable[[], int]) -> None:
    source = write_source(tmp_path / "k.cpp", includes='#include "h.h"')
    header = tmp_path / "h.h"
    programs = {}
    for text in ("int one = 1;", "int two = 2;"):
        header.write_text(text)
        programs[text] = build(source)
    count = compiles()
    for text, program in programs.items():
        header.write_text(text)
        assert build(source) == program
    assert compiles() == count


@pytest.mark.parametrize("compiler_name", COMPILERS)
def test_headers_in_folders_with_odd_names_are_seen(
    compiler_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler_name)
    folder = tmp_path / "odd $x #1 (ä) 'q'"
    source = write_source(folder / "k k.cpp", includes='#include "h h.h"')
    results = []
    for value in (1, 2):
        (folder / "h h.h").write_text(f"int h = {value};")
        results.append(build(source))
        assert results[-1] == build_fresh(source)
    assert results[0] != results[1]


# A header that appears


@pytest.mark.parametrize("place", ["src/sub/h.h", "inc1/sub/h.h", "inc1/k/../sub/h.h"])
@pytest.mark.parametrize("made_before", ["", "inc1/sub", "src/sub"])
def test_a_header_that_appears_earlier_in_the_path_is_seen(place: str, made_before: str, tmp_path: Path) -> None:
    source = write_source(tmp_path / "src/k.cpp", includes='#include "sub/h.h"\nint v = H;')
    for folder in ("inc1/k", "inc2/sub", made_before):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / "inc2/sub/h.h").write_text("#define H 2\n")
    options = {"include_dirs": (str(tmp_path / "inc1"), str(tmp_path / "inc2"))}
    before = build(source, **options)
    header = tmp_path / place
    header.parent.mkdir(exist_ok=True, parents=True)
    header.write_text("#define H 1\n")
    after = build(source, **options)
    assert after == build_fresh(source, **options) != before
    header.unlink()
    assert build(source, **options) == before


def test_a_header_that_appears_beside_another_is_seen(tmp_path: Path) -> None:
    source = write_source(tmp_path / "src/k.cpp", includes='#include "../common/a.h"\nint v = B;')
    for folder in ("common", "inc"):
        (tmp_path / folder).mkdir()
    (tmp_path / "common/a.h").write_text('#include "b.h"\n')
    (tmp_path / "inc/b.h").write_text("#define B 1\n")
    options = {"include_dirs": (str(tmp_path / "inc"),)}
    before = build(source, **options)
    (tmp_path / "common/b.h").write_text("#define B 2\n")
    assert build(source, **options) == build_fresh(source, **options) != before


def test_a_header_that_is_asked_for_is_seen_when_it_appears(tmp_path: Path) -> None:
    includes = '#if __has_include("opt/late.h")\nint late = 1;\n#endif'
    source = write_source(tmp_path / "k.cpp", includes=includes)
    before = build(source)
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/late.h").touch()
    assert build(source) == build_fresh(source) != before


@pytest.mark.parametrize("compiler_name", COMPILERS)
@pytest.mark.parametrize(
    "way",
    [
        *("-I{}", "-I {}", "-iquote{}", "-iquote {}", "-isystem{}", "-isystem {}", "-idirafter{}", "-idirafter {}"),
        *("--include-directory={}", "-Wp,-I,{}", "-Xpreprocessor -I{}", "@file", "CPATH", "CPLUS_INCLUDE_PATH"),
    ],
)
def test_a_header_that_appears_in_a_folder_named_otherwise_is_seen(
    way: str, compiler_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler_name)
    source = write_source(tmp_path / "src/k.cpp", includes='#include "h.h"\nint v = H;')
    folders = [tmp_path / "fi", tmp_path / "fj"]
    folders[1].mkdir()
    (folders[1] / "h.h").write_text("#define H 1\n")
    options: dict[str, tuple[str, ...]] = {}
    if way.endswith("PATH"):
        monkeypatch.setenv(way, ":".join(map(str, folders)))
    elif way == "@file":
        (tmp_path / "words").write_text(f"-I'{folders[0]}'\n-I ../fj")
        options["flags"] = (f"@{tmp_path / 'words'}",)
    else:
        options["flags"] = tuple(" ".join(way.format(folder) for folder in folders).split())
    before = build(source, **options)
    folders[0].mkdir()
    (folders[0] / "h.h").write_text("#define H 2\n")
    assert build(source, **options) == build_fresh(source, **options) != before


def test_a_header_that_appears_in_a_relative_folder_of_a_flag_is_seen(tmp_path: Path) -> None:
    source = write_source(tmp_path / "src/k.cpp", includes='#include "h.h"\nint v = H;')
    for folder in ("fi", "fj"):
        (tmp_path / folder).mkdir()
    (tmp_path / "fj/h.h").write_text("#define H 1\n")
    before = build(source, flags=("-I../fi", "-I", "../fj"))
    (tmp_path / "fi/h.h").write_text("#define H 2\n")
    after = build(source, flags=("-I../fi", "-I", "../fj"))
    assert after == build_fresh(source, flags=("-I../fi", "-I", "../fj")) != before


@pytest.mark.parametrize(
    "include",
    [
        '#include "../h.h"',
        "# include <../h.h>",
        '#include "a/../../h.h"',
        '#define NAME "../h.h"\n#include NAME',
        '#if __has_include("../h.h")\n#include "../h.h"\n#else\n#define H 0\n#endif',
    ],
)
@pytest.mark.parametrize("option", ["include_dirs", "-isystem"])
def test_a_header_that_appears_outside_a_folder_is_seen(include: str, option: str, tmp_path: Path) -> None:
    source = write_source(tmp_path / "deep/src/k.cpp", includes=f"{include}\nint v = H;")
    folders = (str(tmp_path / "x/inc1"), str(tmp_path / "x2/inc2"))
    for folder in folders:
        Path(folder, "a").mkdir(parents=True)
    (tmp_path / "x2/h.h").write_text("#define H 1\n")
    flags = tuple(f"{option}{folder}" for folder in folders)
    options = {option: folders} if option == "include_dirs" else {"flags": flags}
    before = build(source, **options)
    (tmp_path / "x/h.h").write_text("#define H 2\n")
    after = build(source, **options)
    assert after == build_fresh(source, **options) != before
    (tmp_path / "x/h.h").unlink()
    assert build(source, **options) == before


def test_a_header_that_is_asked_for_outside_a_folder_is_seen_when_it_appears(tmp_path: Path) -> None:
    source = write_source(tmp_path / "src/k.cpp", includes='#if __has_include("../late.h")\nint late = 1;\n#endif')
    before = build(source)
    (tmp_path / "late.h").touch()
    assert build(source) == build_fresh(source) != before


def test_other_new_files_do_not_matter(tmp_path: Path, compiles: Callable[[], int]) -> None:
    source = write_source(tmp_path / "src/k.cpp", includes="#include <vector>")
    build(source)
    count = compiles()
    (tmp_path / "src/notes.txt").touch()
    (tmp_path / "src/build").mkdir()
    build(source)
    assert compiles() == count


# Files that change while the compiler runs


@pytest.mark.parametrize("victim", ["h.h", "k.cpp"])
def test_a_file_that_changes_during_a_compile_poisons_nothing(
    victim: str, tmp_path: Path, cache: CompileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "src/k.cpp", includes='#include "h.h"')
    (tmp_path / "src/h.h").write_text("int h = 1;")
    new = tmp_path / "new"
    new.write_text((tmp_path / "src" / victim).read_text() + "int another = 3;")
    spy_on_compiler(
        tmp_path / "cxx", "", monkeypatch, after=f'[ ! -e "{new}" ] || mv "{new}" "{tmp_path / "src" / victim}"'
    )
    built = build(source)
    assert not new.exists()
    assert built == build(source) == build_fresh(source)
    assert cache.stats().programs == 1


def test_what_keeps_changing_is_not_kept(tmp_path: Path, cache: CompileCache, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_source(tmp_path / "src/k.cpp", includes='#include "h.h"')
    header = tmp_path / "src/h.h"
    header.touch()
    spy_on_compiler(tmp_path / "cxx", "", monkeypatch, after=f'echo "int h$$;" > "{header}"')
    assert build(source)
    assert cache.stats().programs == 0


def test_a_digest_is_remembered_only_while_the_file_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    reads = []

    def read_digest() -> str:
        value = headers.file_digest(str(path))
        reads.append(str(path) in headers._digests)
        return value

    digest = read_digest()
    path.write_text("b")  # same size, perhaps the same time
    assert read_digest() != digest
    assert reads == [False, False]  # too young to be remembered
    monkeypatch.setattr(headers, "_is_settled", lambda status, now_ns: True)
    digest = read_digest()
    assert read_digest() == digest
    path.write_text("longer")
    assert read_digest() != digest
    other = tmp_path / "g"
    other.write_text("LONGER")
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    digest = read_digest()
    other.replace(path)  # same size, same mtime
    assert read_digest() != digest


def set_back(path: Path, change: Callable[[], object]) -> None:
    """Change a file or a folder so that size and mtime stay as they are: only ctime tells."""
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of files has steps
        change()
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (before.st_mtime_ns, before.st_size, before.st_ino)


@pytest.mark.parametrize("victim", ["k.cpp", "h.h"])
def test_an_edit_of_the_same_size_with_the_time_set_back_is_seen(
    victim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "_is_settled", lambda status, now_ns: True)  # all is remembered at once
    source = write_source(tmp_path / "src/k.cpp", includes='#include "h.h"')
    (tmp_path / "src/h.h").write_text("int h = 1;")
    before = build(source)
    path = tmp_path / "src" / victim
    text = path.read_text().replace("1;", "2;")
    set_back(path, lambda: path.write_text(text))
    assert build(source) == build_fresh(source) != before


def test_a_header_that_appears_is_seen_when_the_time_of_the_folder_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "_is_settled", lambda status, now_ns: True)
    source = write_source(tmp_path / "src/k.cpp", includes='#include "h.h"\nint v = H;')
    folders = [tmp_path / "inc1", tmp_path / "inc2"]
    for folder in folders:
        folder.mkdir()
    (folders[1] / "h.h").write_text("#define H 2\n")
    options = {"include_dirs": tuple(map(str, folders))}
    before = build(source, **options)
    set_back(folders[0], lambda: (folders[0] / "h.h").write_text("#define H 1\n"))
    assert build(source, **options) == build_fresh(source, **options) != before


VARIABLES = (
    *("CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "LD_RUN_PATH", "COMPILER_PATH"),
    *("GCC_EXEC_PREFIX", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET", "SOURCE_DATE_EPOCH"),
)


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The compiler itself does not get it: whether it likes the value is no matter.
    log = tmp_path / "compiles"
    log.touch()
    spy_on_compiler(tmp_path / "cxx", f'echo >> "{log}"; unset {name}', monkeypatch)
    source = write_source(tmp_path / "k.cpp")
    compiled = []
    for value in (None, "1", "1", "2", None):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
        log.write_text("")
        build(source)
        compiled.append(log.stat().st_size > 0)
    assert compiled == [True, True, False, True, False]


def test_a_wrapper_that_calls_another_compiler_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its own file stays as it is: only what it says to --version tells.
    version, log = tmp_path / "version", tmp_path / "compiles"
    spy_on_compiler(tmp_path / "cxx", f'echo >> "{log}"', monkeypatch)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$1" in --version) exec cat "{version}";; esac\nexec "{tmp_path / "cxx"}" "$@"\n'
    )
    wrapper.chmod(0o700)
    monkeypatch.setenv("CXX", str(wrapper))
    source = write_source(tmp_path / "k.cpp")
    compiled = []
    for number in ("12.2.0", "12.2.0", "12.2.1", "12.2.0"):
        version.write_text(f"g++ (Distribution) {number}\nCopyright (C) 2022 Free Software Foundation, Inc.\n")
        host_toolchain._probe.cache_clear()  # as in a new process
        log.write_text("")
        build(source)
        compiled.append(log.stat().st_size > 0)
    assert compiled == [True, False, True, False]


# The model: a compile through the cache is a fresh compile


class CacheMachine(RuleBasedStateMachine):
    """Changes sources, headers, flags and the cache's own files in any order."""

    base: ClassVar[Path]  # the same in all examples, so that the fresh compiles can be kept
    fresh: ClassVar[dict[object, bytes]]

    @initialize()
    def start(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)
        self.cache = CompileCache(self.base / "cache")
        self.options: dict[str, tuple[str, ...]] = {"include_dirs": (str(self.base / "inc1"), str(self.base / "inc2"))}
        for folder in ("src", "inc1", "inc2"):
            (self.base / folder).mkdir(parents=True)
        self.write("src/k.cpp", 1)
        self.write("inc2/h.h", 1)

    def write(self, name: str, value: int) -> None:
        text = (
            f"#define V {value}\n" if name.endswith(".h") else f'#include "h.h"\nint value_{value}() {{ return V; }}\n'
        )
        (self.base / name).write_text(text)

    def cache_files(self, kind: str) -> list[Path]:
        return sorted(files_of(self.base / "cache", kind))

    @rule(value=st.integers(1, 2))
    def edit_source(self, value: int) -> None:
        self.write("src/k.cpp", value)

    @rule(name=st.sampled_from(["src/h.h", "inc1/h.h", "inc2/h.h"]), value=st.integers(1, 2))
    def write_header(self, name: str, value: int) -> None:
        self.write(name, value)

    @rule(name=st.sampled_from(["src/h.h", "inc1/h.h"]))
    def delete_header(self, name: str) -> None:
        (self.base / name).unlink(missing_ok=True)

    @rule(name=st.sampled_from(["src/h.h", "inc1/h.h"]))
    def link_header(self, name: str) -> None:
        (self.base / name).unlink(missing_ok=True)
        (self.base / name).symlink_to(self.base / "inc2/h.h")

    @rule(define=st.sampled_from([(), ("D",)]), flag=st.sampled_from([(), ("-O1",)]))
    def change_options(self, define: tuple[str, ...], flag: tuple[str, ...]) -> None:
        self.options = {**self.options, "defines": define, "flags": flag}

    @rule(seconds=st.sampled_from([-100 * DAY_S, -1, 0, 100 * DAY_S]))
    def touch(self, seconds: int) -> None:
        moment = time.time() + seconds
        for path in self.base.glob("[si]*/*"):
            os.utime(path, (moment, moment))

    @rule(kind=st.sampled_from(["objects", "manifests"]), keep=st.floats(0, 1), flip=st.booleans())
    def damage(self, kind: str, keep: float, flip: bool) -> None:
        for path in self.cache_files(kind):
            data = bytearray(path.read_bytes())
            at = int(keep * (len(data) - 1))
            if flip and data:
                data[at] ^= 0x10
            else:
                del data[at:]
            path.write_bytes(data)

    @rule(kind=st.sampled_from(["objects", "manifests", "locks", ""]))
    def delete(self, kind: str) -> None:
        for path in self.cache_files(kind):
            path.unlink()

    @rule()
    def swap_objects(self) -> None:
        paths = self.cache_files("objects")
        for path, data in zip(paths, [path.read_bytes() for path in reversed(paths)], strict=True):
            path.write_bytes(data)

    @rule(unused_s_max=st.sampled_from([-1.0, DAY_S]), size_bytes_max=st.sampled_from([0, 20_000, 1 << 30]))
    def prune(self, unused_s_max: float, size_bytes_max: int) -> None:
        CompileCache(self.cache.root, size_bytes_max=size_bytes_max, unused_s_max=unused_s_max).prune()

    @rule()
    def clear(self) -> None:
        self.cache.clear()

    @invariant()
    def is_a_fresh_compile(self) -> None:
        source = self.base / "src/k.cpp"
        headers = ((self.base / name) for name in ("src/h.h", "inc1/h.h", "inc2/h.h"))
        # Debug information has the path of the header in use, so that the state includes which files there are.
        texts = [path.read_text() if path.exists() else None for path in (source, *headers)]
        state = (tuple(texts), tuple(self.options.items()))
        if state not in self.fresh:
            self.fresh[state] = build_fresh(source, **self.options)
        assert build(source, self.cache, **self.options) == self.fresh[state]
        assert not [path for path in self.cache_files("") if path.name.startswith(".tmp-")]


def test_the_cache_is_invisible(tmp_path: Path) -> None:
    CacheMachine.base = tmp_path / "machine"
    CacheMachine.fresh = {}
    run_state_machine_as_test(
        CacheMachine,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )


# Damage


@pytest.mark.parametrize("kind", ["objects", "manifests"])
@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_entry_is_a_miss_and_is_repaired(
    kind: str, damage: bytes | None, tmp_path: Path, cache: CompileCache, compiles: Callable[[], int]
) -> None:
    source = write_source(tmp_path / "k.cpp")
    first = build(source)
    (path,) = files_of(cache.root, kind)
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2] if damage is None else damage)
    count = compiles()
    assert build(source) == first
    assert compiles() > count
    count = compiles()
    assert build(source) == first
    assert compiles() == count
    assert path.read_bytes() == good


@pytest.mark.parametrize("kind", ["objects", "manifests", "locks"])
def test_a_folder_in_the_place_of_an_entry_is_moved_away(
    kind: str, tmp_path: Path, cache: CompileCache, compiles: Callable[[], int]
) -> None:
    source = write_source(tmp_path / "k.cpp")
    first = build(source)
    [entry] = files_of(cache.root, kind)
    entry.unlink()
    (entry / "inner").mkdir(parents=True)
    assert build(source) == first
    count = compiles()
    assert build(source) == first
    assert compiles() == count
    cache.prune()
    assert not list(cache.root.glob(".cleared-*"))


def put_in_the_way(kind: str, path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link loop":
        path.symlink_to(path.name)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "file":
        path.touch()
    else:
        path.mkdir()


IN_PLACE_OF_FILES = itertools.product(
    ("objects/*/*", "manifests/*/*", "locks/*", "pruned"), ("pipe", "link loop", "socket", "folder")
)
IN_PLACE_OF_FOLDERS = itertools.product(("objects/*", "manifests", "locks", "."), ("pipe", "link loop", "file"))


@pytest.mark.parametrize(("place", "kind"), [*IN_PLACE_OF_FILES, *IN_PLACE_OF_FOLDERS])
def test_what_is_in_the_way_stops_nobody(
    place: str, kind: str, tmp_path: Path, cache: CompileCache, compiles: Callable[[], int]
) -> None:
    source = write_source(tmp_path / "k.cpp")
    first = build(source)
    [path] = (cache.root / "v1").glob(place) if place != "." else [cache.root / "v1"]
    put_in_the_way(kind, path)
    assert build(source) == first
    count = compiles()
    assert build(source) == first
    assert compiles() == count
    cache.prune()
    assert cache.stats().programs == 1
    cache.clear()
    assert not list(cache.root.iterdir())


def test_any_changed_byte_of_a_manifest_is_noticed(tmp_path: Path, cache: CompileCache) -> None:
    source = write_source(tmp_path / "k.cpp", includes='#include "h.h"')
    (tmp_path / "h.h").touch()
    request = cache.request(source, [])
    assert cache.store(request, Program.of(b"program"), [str(source), str(tmp_path / "h.h")], [], FAR_FUTURE_NS)
    assert cache.look_up(request) == Program.of(b"program")
    (path,) = files_of(cache.root, "manifests")
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert cache.look_up(request) is None


def test_a_source_that_changed_since_the_request_is_not_stored(tmp_path: Path, cache: CompileCache) -> None:
    source = write_source(tmp_path / "k.cpp", 1)
    request = cache.request(source, [])
    write_source(source, 2)
    assert not cache.store(request, Program.of(b"program"), [str(source)], [], FAR_FUTURE_NS)
    assert not cache.store(request, Program.of(b"program"), [str(tmp_path / "gone.h")], [], FAR_FUTURE_NS)
    assert cache.look_up(request) is None


def test_a_killed_writer_leaves_nothing_that_is_used(tmp_path: Path, cache: CompileCache) -> None:
    source = write_source(tmp_path / "k.cpp")
    code = """
import os, signal, sys
from chiphost import compiler
os.replace = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
compiler.compile_kernel(compiler.Kernel(0, sys.argv[1], "aiv"), "a2a3sim")
"""
    child = run_python(code, source)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    (left,) = [path for path in files_of(cache.root) if path.name.startswith(".tmp-")]
    assert cache.stats().programs == 0
    assert build(source) == build_fresh(source)
    cache.prune()
    assert left.exists()  # it could be somebody's who is still writing
    os.utime(left, (0, 0))
    cache.prune()
    assert not left.exists()
    assert cache.stats().programs == 1


def test_a_full_disk_is_an_error_and_leaves_nothing(
    tmp_path: Path, cache: CompileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "k.cpp")
    build(write_source(tmp_path / "other.cpp"))
    before = sorted(files_of(cache.root, "objects") + files_of(cache.root, "manifests"))
    real = os.fdopen

    def full(descriptor: int, mode: str) -> IO[bytes]:
        if mode == "wb":
            with Path("/dev/full").open("wb") as device:
                os.dup2(device.fileno(), descriptor)
        return real(descriptor, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", full)
        with pytest.raises(CacheError, match="No space left on device") as caught:
            build(source)
    assert caught.value.name == "CACHE_UNUSABLE"
    assert str(cache.root) in caught.value.where
    assert "CHIPHOST_CACHE_DIR" in caught.value.hint
    assert sorted(files_of(cache.root, "objects") + files_of(cache.root, "manifests")) == before
    assert build(source) == build_fresh(source)


# Who may use the folder


def test_everything_is_for_the_owner_only(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        cache = CompileCache(tmp_path / "a" / "b" / "cache")
        build(write_source(tmp_path / "src/k.cpp"), cache)
    finally:
        os.umask(old_mask)
    paths = [tmp_path / "a", *(tmp_path / "a").rglob("*")]
    assert len(paths) > 8
    assert not [path for path in paths if path.stat().st_mode & 0o077]


def test_a_folder_of_the_user_keeps_its_mode(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    root.chmod(0o755)
    (root / "letter").touch()
    cache = CompileCache(root)
    build(write_source(tmp_path / "src/k.cpp"), cache)
    assert root.stat().st_mode & 0o777 == 0o755
    assert (root / "v1").stat().st_mode & 0o777 == 0o700
    cache.clear()
    assert [path.name for path in root.iterdir()] == ["letter"]


def assert_unusable(root: Path, reason: str, source: Path) -> None:
    cache = CompileCache(root)
    for use in (lambda: build(source, cache), cache.stats, cache.clear, cache.prune):
        with pytest.raises(CacheError, match=reason) as caught:
            use()
        assert caught.value.name == "CACHE_UNUSABLE"
        assert caught.value.where.startswith(str(root))
        assert "CHIPHOST_CACHE_DIR" in caught.value.hint


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_may_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(mode)
    assert_unusable(root, f"others may write to it .its mode is {mode:04o}", write_source(tmp_path / "k.cpp"))
    assert root.stat().st_mode & 0o7777 == mode
    assert not list(root.iterdir())


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    root, owner = a_foreign_folder(tmp_path / "foreign")
    assert_unusable(
        root, f"belongs to user {owner}.*, and you are user {os.geteuid()}", write_source(tmp_path / "k.cpp")
    )


@pytest.mark.parametrize("mode", [0o777, 0o703])
def test_a_folder_above_that_others_may_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    source = write_source(tmp_path / "k.cpp")
    above = tmp_path / "shared"
    root = above / "inner" / "cache"
    build(source, CompileCache(root))
    above.chmod(mode)
    reason = f"others may write to {above}, a folder above it, and exchange it .its mode is {mode:04o}"
    assert_unusable(root, reason, source)
    above.chmod(0o1777)  # as /tmp: everybody moves only what is theirs
    assert build(source, CompileCache(root)) == build_fresh(source)


def test_a_folder_above_that_a_group_may_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_source(tmp_path / "k.cpp")
    above = tmp_path / "shared"
    root = above / "cache"
    build(source, CompileCache(root))
    above.chmod(0o770)
    monkeypatch.setattr(private_folder, "_is_own_group", lambda group: group == above.stat().st_gid)
    assert build(source, CompileCache(root)) == build_fresh(source)
    monkeypatch.setattr(private_folder, "_is_own_group", lambda group: False)
    assert_unusable(root, "others may write to", source)


@pytest.mark.parametrize(
    ("name", "members", "users", "own"),
    [
        ("me", [], {"me": 10}, True),
        ("me", ["me"], {"me": 10, "other": 11}, True),
        ("me", ["me", "other"], {"me": 10, "other": 11}, False),
        ("me", [], {"me": 10, "other": 10}, False),  # it is the other's own group, so the group does not name him
        ("staff", [], {"me": 10}, False),
    ],
)
def test_whose_group_is_one_s_own(
    name: str, members: list[str], users: dict[str, int], own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [
        pwd.struct_passwd((user, "x", os.geteuid() + at, group, "", "/", "/bin/sh"))
        for at, (user, group) in enumerate(users.items())
    ]
    monkeypatch.setattr(pwd, "getpwuid", lambda user: known[user - os.geteuid()])
    monkeypatch.setattr(pwd, "getpwall", lambda: known)
    monkeypatch.setattr(grp, "getgrgid", lambda group: grp.struct_group((name, "x", group, members)))
    assert private_folder._is_own_group.__wrapped__(10) is own


@as_root
def test_a_folder_above_of_another_user_is_refused(tmp_path: Path) -> None:
    source = write_source(tmp_path / "k.cpp")
    above = tmp_path / "foreign"
    build(source, CompileCache(above / "cache"))
    os.chown(above, FOREIGN_USER, FOREIGN_USER)
    assert_unusable(above / "cache", f"{above}, a folder above it, belongs to user {FOREIGN_USER}", source)


@as_root
@pytest.mark.parametrize("place", ["cache", "above/cache"])
def test_a_link_of_another_user_is_refused(place: str, tmp_path: Path) -> None:
    source = write_source(tmp_path / "k.cpp")
    (tmp_path / "real/cache").mkdir(0o700, parents=True)
    (tmp_path / "links").mkdir()
    (tmp_path / "links").chmod(0o1777)
    link = tmp_path / "links" / place.split("/")[0]
    link.symlink_to(tmp_path / "real" / ("cache" if place == "cache" else ""))
    assert build(source, CompileCache(tmp_path / "links" / place)) == build_fresh(source)
    os.chown(link, FOREIGN_USER, FOREIGN_USER, follow_symlinks=False)
    assert_unusable(tmp_path / "links" / place, f"the link {link} belongs to user {FOREIGN_USER}", source)


# In a user namespace that has no other user than this one, an ordinary one. It shows all others alike.
ALONE = """
import ctypes, os, sys
from pathlib import Path
from chiphost._system.private_folder import NotPrivate, open_private_folder
libc = ctypes.CDLL(None, use_errno=True)
user = int(sys.argv[1])
os.setresuid(user, user, user)
set_dumpable, new_user = 4, 0x10000000
libc.prctl(set_dumpable, 1)
if libc.unshare(new_user):
    raise SystemExit(77)
if sys.argv[2] == "mapped":
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
for path in sys.argv[3:]:
    try:
        open_private_folder(Path(path))
        print("ok")
    except NotPrivate as error:
        print(error.reason)
"""


@pytest.mark.parametrize("mapped", ["mapped", "not mapped"])
def test_users_that_a_user_namespace_does_not_have_are_not_trusted(mapped: str) -> None:
    user = os.geteuid() or FOREIGN_USER
    if user == FOREIGN_USER and not CAN_GIVE_FILES_AWAY:
        pytest.skip("no ordinary user is to be had here")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, user, -1)
        paths = [folder, "/usr/x/y", "/var/run/x"]
        done = subprocess.run(
            [sys.executable, "-c", ALONE, str(user), mapped, *paths], capture_output=True, text=True, timeout=60
        )
    if done.returncode == 77:
        pytest.skip("this user may not make user namespaces")
    own, above, *link = done.stdout.splitlines()
    whose = f"belongs to user {Path('/proc/sys/kernel/overflowuid').read_text().strip()}, as this user namespace shows"
    assert own == "ok" if mapped == "mapped" else own.startswith(f"it {whose}"), done.stderr
    assert above.startswith(f"/usr, a folder above it, {whose} all whom it does not have")
    if Path("/var/run").is_symlink():
        assert link[0].startswith(f"the link /var/run {whose}")


@pytest.mark.parametrize("target", ["../real/deep", "{}/real/deep", "../real/../real/./deep", "second"])
def test_links_of_the_user_are_followed(target: str, tmp_path: Path) -> None:
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    (tmp_path / "links/second").symlink_to("../real/deep")
    (tmp_path / "links/first").symlink_to(target.format(tmp_path))
    cache = CompileCache(tmp_path / "links/first/cache")
    build(write_source(tmp_path / "k.cpp"), cache)
    assert files_of(tmp_path / "real/deep/cache", "objects")
    assert cache.stats().programs == 1


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    source = write_source(tmp_path / "k.cpp")
    for root in (tmp_path / "loop", tmp_path / "loop" / "cache"):
        assert_unusable(root, "Too many levels of symbolic links", source)


def test_a_folder_that_is_exchanged_after_the_check_is_not_used(
    tmp_path: Path, cache: CompileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "k.cpp")
    request = cache.request(source, [])
    other = CompileCache(tmp_path / "evil")
    for each, data in ((cache, b"good"), (other, b"evil")):
        assert each.store(request, Program.of(data), [str(source)], [], FAR_FUTURE_NS)
    real = CompileCache._records

    def exchange(self: CompileCache, *words: object) -> object:
        self.root.rename(tmp_path / "moved")
        other.root.rename(self.root)
        return real(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(CompileCache, "_records", exchange)
    assert cache.look_up(request) == Program.of(b"good")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = write_source(tmp_path / "k.cpp")
    assert_unusable(tmp_path / "file", "not a folder", source)
    assert_unusable(tmp_path / "file" / "below", "Not a directory", source)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    cache = CompileCache(Path("/proc/chiphost"))
    with pytest.raises(CacheError, match="CACHE_UNUSABLE"):
        build(write_source(tmp_path / "k.cpp"), cache)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder is at hand in which nothing can be made")
def test_the_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(CacheError) as caught:
        build(write_source(tmp_path / "k.cpp"), CompileCache(Path("/proc/x")))
    assert caught.value.where == "/proc/x"


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CompileCache().root == tmp_path / "cache"
    assert CompileCache(tmp_path / "x").root == tmp_path / "x"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", "~/there")
    assert CompileCache().root == tmp_path / "there"
    monkeypatch.delenv("CHIPHOST_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert CompileCache().root.is_relative_to(tmp_path)
    assert CompileCache().root.name == "chiphost"


@pytest.mark.parametrize("home", [None, "", "relative", "./here"])
@pytest.mark.parametrize("cache_home", [None, "", "relative"])
def test_a_user_without_a_folder_has_a_cache(
    home: str | None, cache_home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(user: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {user}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.delenv("CHIPHOST_CACHE_DIR")
    for name, value in (("HOME", home), ("XDG_CACHE_HOME", cache_home)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    cache = CompileCache()
    assert cache.root == tmp_path / "tmp" / f"chiphost-cache-{os.geteuid()}"
    build(write_source(tmp_path / "k.cpp"), cache)
    assert cache.stats().programs == 1
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", "~/there")
    with pytest.raises(CacheError, match="nobody knows what ~ stands for"):
        CompileCache()


def test_the_folder_for_temporary_files_of_one_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "folder", lambda: None)
    monkeypatch.delenv("CHIPHOST_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    own = f"chiphost-cache-{os.geteuid()}"
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", "tmp")
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert CompileCache().root == tmp_path / "tmp" / own
    monkeypatch.chdir("/")
    assert CompileCache().root == tmp_path / "tmp" / own
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert CompileCache().root.parent.is_dir()
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(CacheError, match="no home folder, nor one for temporary files") as caught:
        CompileCache()
    assert caught.value.where == str(tmp_path / "missing")


@pytest.mark.parametrize("home", ["", "relative"])
def test_a_variable_that_names_no_folder_is_passed_over(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda user: types.SimpleNamespace(pw_dir=str(tmp_path)))
    monkeypatch.delenv("CHIPHOST_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    assert CompileCache().root.is_relative_to(tmp_path)


def test_a_relative_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cache = CompileCache(Path("relative"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    build(write_source(tmp_path / "k.cpp"), cache)
    assert files_of(tmp_path / "relative", "objects")


# Several at once


STRESS = """
import sys
from chiphost import compiler
jobs = [compiler.kernel_job(compiler.Kernel(i, source, "aiv"), "a2a3sim") for i, source in enumerate(sys.argv[1:])]
print("ready", flush=True)
sys.stdin.readline()
print(*(binary.key for binary in compiler.compile_all(jobs)), flush=True)
"""


def test_processes_share_an_empty_cache(tmp_path: Path, cache: CompileCache) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i, "#include <stdint.h>") for i in range(3)]
    expected = [Program.of(build_fresh(source)).digest for source in sources]
    for _ in range(2):
        children = [run_python(STRESS, *sources) for _ in range(6)]
        for child in children:
            assert pipe(child.stdout).readline() == "ready\n"
        for child in children:
            pipe(child.stdin).write("\n")
            pipe(child.stdin).flush()
        for child in children:
            output, _ = child.communicate()
            assert child.returncode == 0
            assert output.split() == expected
        assert not [path for path in files_of(cache.root) if path.name.startswith(".tmp-")]
        assert cache.stats().programs == 3
        cache.clear()


def test_clearing_and_pruning_disturb_nobody(tmp_path: Path) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    expected = [build_fresh(source) for source in sources]
    done = threading.Event()

    def disturb() -> None:
        for turn in itertools.count():
            if done.is_set():
                return
            CompileCache().clear() if turn % 2 else CompileCache(size_bytes_max=0).prune()

    threads = [threading.Thread(target=disturb) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            assert [build(source) for source in sources] == expected
    finally:
        done.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("removed", ["a", "a/cache", "a/cache/v1", "a/cache/v1/objects"])
def test_a_folder_that_is_removed_during_a_compile_is_no_error(
    removed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CompileCache(tmp_path / "a/cache")
    source = write_source(tmp_path / "k.cpp")
    expected = build_fresh(source)
    remove = f'rm -rf "{tmp_path / removed}"'
    spy_on_compiler(tmp_path / "cxx", remove, monkeypatch, after=remove)
    assert build(source, cache) == expected
    assert cache.stats().programs == 1  # what came afterwards is kept
    shutil.rmtree(tmp_path / removed)
    assert build(source, cache) == expected


def test_a_folder_that_is_removed_again_and_again_is_no_error(tmp_path: Path) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    expected = [build_fresh(source) for source in sources]
    cache = CompileCache(tmp_path / "a/cache")
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            shutil.rmtree(tmp_path / "a", ignore_errors=True)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(5):
            assert [build(source, cache) for source in sources] == expected
    finally:
        done.set()
        thread.join()


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def test_a_lock_keeps_others_waiting(tmp_path: Path, cache: CompileCache) -> None:
    request = cache.request(write_source(tmp_path / "k.cpp"), [])
    order = []

    def enter() -> None:
        with cache.lock(request, threading.Event(), 60):
            order.append("second enters")

    with cache.lock(request, threading.Event(), 60):
        thread = threading.Thread(target=enter)
        thread.start()
        # Not more than 0 s, or at all when nobody wants the result any more.
        with cache.lock(request, threading.Event(), 0):
            order.append("impatient")
        given_up = threading.Event()
        given_up.set()
        with cache.lock(request, given_up, 60):
            order.append("given up")
        order.append("first leaves")
    thread.join()
    assert order == ["impatient", "given up", "first leaves", "second enters"]


def test_a_killed_process_leaves_no_lock(tmp_path: Path, cache: CompileCache) -> None:
    source = write_source(tmp_path / "k.cpp")
    code = """
import pathlib, sys, threading
from chiphost._compiling.cache import CompileCache
cache = CompileCache()
with cache.lock(cache.request(pathlib.Path(sys.argv[1]), []), threading.Event(), 60):
    print("held", flush=True)
    sys.stdin.readline()
"""
    child = run_python(code, source)
    assert pipe(child.stdout).readline() == "held\n"
    entered = threading.Event()

    def enter() -> None:
        with cache.lock(cache.request(source, []), threading.Event(), float("inf")):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.is_set()
    child.kill()
    child.communicate()
    thread.join()
    assert entered.is_set()


# Growth


def test_what_nobody_used_goes_first(tmp_path: Path, cache: CompileCache, compiles: Callable[[], int]) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    programs = [build(source) for source in sources]
    for path in files_of(cache.root, "objects") + files_of(cache.root, "manifests"):
        os.utime(path, (time.time() - 13 * DAY_S,) * 2)
    cache.prune()
    assert cache.stats().programs == 3
    build(sources[1])  # a use
    for path in files_of(cache.root, "objects"):
        if time.time() - path.stat().st_mtime > DAY_S:
            os.utime(path, (time.time() - 15 * DAY_S,) * 2)
    cache.prune()
    assert cache.stats().programs == 1
    count = compiles()
    assert build(sources[1]) == programs[1]
    assert compiles() == count
    assert build(sources[0]) == programs[0]
    assert compiles() > count


def test_the_size_is_limited(tmp_path: Path, cache: CompileCache) -> None:
    for i in range(4):
        source = write_source(tmp_path / f"k{i}.cpp", i)
        build(source)
        for path in files_of(cache.root, "objects") + files_of(cache.root, "manifests"):
            os.utime(path, ns=(0, path.stat().st_mtime_ns - 10**12))  # older by a quarter of an hour
    size = cache.stats().size_bytes
    small = CompileCache(cache.root, size_bytes_max=size // 2)
    small.prune()
    assert 0 < small.stats().size_bytes <= size // 2
    newest = Program.of(build(source)).digest
    assert newest in [path.name for path in files_of(cache.root, "objects")]


def test_what_was_used_last_stays(tmp_path: Path, cache: CompileCache) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    programs = [Program.of(build(source)).digest for source in sources]
    for hours, digest in enumerate(programs, 2):
        os.utime(cache.root / "v1/objects" / digest[:2] / digest, (time.time() - hours * 3600,) * 2)
    build(sources[2])  # the one unused for longest is used
    size = max(path.stat().st_size for path in files_of(cache.root, "objects"))
    CompileCache(cache.root, size_bytes_max=size * 3 // 2).prune()
    assert [path.name for path in files_of(cache.root, "objects")] == [programs[2]]


def test_pruning_is_done_once_a_day(tmp_path: Path, cache: CompileCache) -> None:
    greedy = CompileCache(cache.root, size_bytes_max=0)
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    build(sources[0], greedy)
    assert greedy.stats().programs == 0  # the first store prunes
    build(sources[1], greedy)
    assert greedy.stats().programs == 1  # the second does not
    marker = cache.root / "v1" / "pruned"
    os.utime(marker, (time.time() - 2 * DAY_S,) * 2)
    build(sources[2], greedy)
    assert greedy.stats().programs == 0
    assert time.time() - marker.stat().st_mtime < DAY_S


def test_old_locks_and_half_cleared_folders_go(tmp_path: Path, cache: CompileCache) -> None:
    build(write_source(tmp_path / "k.cpp"))
    (lock,) = files_of(cache.root, "locks")
    (cache.root / ".cleared-1-1" / "v1").mkdir(parents=True)
    cache.prune()
    assert lock.exists()
    os.utime(lock, (0, 0))
    cache.prune()
    assert sorted(path.name for path in cache.root.rglob("*") if not path.name.isalnum()) == []
    assert not lock.exists()


def test_stats_and_clear(tmp_path: Path, cache: CompileCache) -> None:
    assert (cache.stats().programs, cache.stats().size_bytes) == (0, 0)
    cache.clear()
    assert not cache.root.exists()
    program = build(write_source(tmp_path / "k.cpp"))
    stats = cache.stats()
    assert (stats.root, stats.programs) == (cache.root, 1)
    assert stats.size_bytes > len(program)
    cache.clear()
    assert cache.stats().programs == 0
    assert not list(cache.root.iterdir())
