# SPDX-License-Identifier: Apache-2.0
"""Compiling: what comes out, what is said when nothing comes out, and what happens at the same time."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import pickle
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from chiphost import compiler
from chiphost._compiling import batch as compile_batch
from chiphost._compiling import host_toolchain, output
from chiphost._compiling.cache import CompileCache
from chiphost.compiler import Binary, Job, Kernel
from chiphost.errors import ArgumentError, ChiphostError, CompileError, SceneError
from chiphost.signature import Arg, In

COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
KERNEL = """
#include <chiphost/kernel.h>
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) { args[0] = 42; }
"""
BROKEN = "int good;\nint bad = nonsense;\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CompileCache:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "cache"))
    return CompileCache()


@pytest.fixture(params=COMPILERS)
def each_compiler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CXX", request.param)
    return str(request.param)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def use_script(script: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make CXX a script that does `body` instead of a compile; `real` is the compiler."""
    real = host_toolchain.find_compiler().path
    write(script, f'#!/bin/sh\nreal={real}\ncase "$1" in --version|-dumpmachine) exec $real "$@";; esac\n{body}\n')
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))


def load(binary: Binary, folder: Path) -> ctypes.CDLL:
    path = folder / f"{binary.key}.so"
    path.write_bytes(binary.data)
    return ctypes.CDLL(str(path))


def jobs_for(*sources: Path) -> list[Job]:
    return [compiler.kernel_job(Kernel(i, source, "aiv"), "a2a3sim") for i, source in enumerate(sources)]


# What comes out


def test_a_kernel_is_a_library_with_its_entry(each_compiler: str, tmp_path: Path) -> None:
    source = write(tmp_path / "answer.cpp", KERNEL)
    binary = compiler.compile_kernel(Kernel(7, source, "aiv"), "a2a3sim")
    assert binary.name == "answer"
    assert binary.key == hashlib.sha256(binary.data).hexdigest()
    args = (ctypes.c_int64 * 1)()
    load(binary, tmp_path).kernel_entry(args)
    assert args[0] == 42
    assert len(repr(binary)) < 200


DEFINES = """
#if defined(__DAV_CUBE__) + defined(__DAV_VEC__) > 1
#error both
#endif
extern "C" int cube = 0
#ifdef __DAV_CUBE__
+ 1
#endif
;
extern "C" int vec = 0
#ifdef __DAV_VEC__
+ 1
#endif
;
extern "C" int sim = 0
#ifdef __CPU_SIM
+ 1
#endif
;
extern "C" int arch = 0
#ifdef CHIPHOST_ARCH_A2A3
+ CHIPHOST_ARCH_A2A3 * 3
#endif
#ifdef CHIPHOST_ARCH_A5
+ CHIPHOST_ARCH_A5 * 5
#endif
;
extern "C" int runtime = 0
#ifdef CHIPHOST_RUNTIME_HOST_BUILD_GRAPH
+ CHIPHOST_RUNTIME_HOST_BUILD_GRAPH
#endif
;
"""


@pytest.mark.parametrize(
    ("core_type", "platform", "expected"),
    [
        ("aic", "a2a3sim", (1, 0, 1, 3, 0)),
        ("aiv", "a5sim", (0, 1, 1, 5, 0)),
        (None, "a2a3sim", (0, 0, 0, 3, 1)),
    ],
)
def test_sources_know_what_they_are_compiled_for(
    core_type: Any, platform: str, expected: tuple[int, ...], each_compiler: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "k.cpp", DEFINES)
    if core_type:
        binary = compiler.compile_kernel(Kernel(0, source, core_type), platform)
    else:
        binary = compiler.compile_orchestration(source, "host_build_graph", platform)
    library = load(binary, tmp_path)
    names = ("cube", "vec", "sim", "arch", "runtime")
    assert tuple(ctypes.c_int.in_dll(library, name).value for name in names) == expected


def test_options_of_the_user_reach_the_compiler(each_compiler: str, tmp_path: Path) -> None:
    write(tmp_path / "inc" / "a.h", "#define A 1\n")
    write(tmp_path / "src" / "beside.h", "#define B 2\n")
    text = (
        '#include "a.h"\nextern "C" int sum = A + B + C;\n#if __cplusplus < 202002L || D != 1\n#error options\n#endif\n'
    )
    kernel = Kernel(
        0,
        write(tmp_path / "src" / "k.cce", text),
        "aic",
        include_dirs=[tmp_path / "inc"],
        defines=["C=4", "D"],
        flags=["-std=c++20", "-include", "beside.h"],
    )
    library = load(compiler.compile_kernel(kernel, "a5sim"), tmp_path)
    assert ctypes.c_int.in_dll(library, "sum").value == 7


def test_paths_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "src" / "k.cpp", '#include "a.h"\n')
    write(tmp_path / "inc" / "a.h", "")
    monkeypatch.chdir(tmp_path)
    job = compiler.kernel_job(Kernel(0, "src/k.cpp", "aiv", include_dirs=["inc"]), "a2a3sim")
    monkeypatch.chdir("/")  # a job does not depend on it any more
    assert compiler.compile_all([job])


def test_the_same_source_gives_the_same_bytes(each_compiler: str, tmp_path: Path) -> None:
    # Things for which compilers make up names, and the date.
    text = """
        #include <string>
        namespace { struct Noisy { Noisy() { text = __FILE__; } std::string text; } noisy; }
        template <typename T> struct Holder { static inline T value{}; };
        extern "C" const void* address() { return &Holder<std::string>::value; }
    """
    if each_compiler == "g++":  # clang++ before 16 takes the date from the clock
        text += 'extern "C" const char* date() { return __DATE__ __TIME__; }'
    source = write(tmp_path / "k.cpp", text)
    keys = {compiler.compile_all(jobs_for(source), cache=CompileCache(tmp_path / str(i)))[0].key for i in range(3)}
    assert len(keys) == 1


def test_nothing_keeps_a_library_loaded(each_compiler: str, tmp_path: Path) -> None:
    text = """
        template <typename T> struct Holder { static inline T value{}; };
        inline int& counter() { static int count; return count; }
        extern "C" int next() { return ++counter() + Holder<int>::value; }
    """
    binary = compiler.compile_kernel(Kernel(0, write(tmp_path / "k.cpp", text), "aiv"), "a2a3sim")
    path = write(tmp_path / "k.so", "")
    path.write_bytes(binary.data)
    with path.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".dynsym")
        symbols = {symbol.name: symbol for symbol in table.iter_symbols()}
    assert "STB_LOOS" not in {symbol["st_info"]["bind"] for symbol in symbols.values()}  # STB_GNU_UNIQUE
    assert symbols["next"]["st_other"]["visibility"] == "STV_DEFAULT"
    assert symbols["next"]["st_info"]["bind"] == "STB_GLOBAL"


def test_debuggers_find_the_source(tmp_path: Path) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    assert str(source).encode() in compiler.compile_kernel(Kernel(0, source, "aiv"), "a2a3sim").data


@dataclass
class FakeCallable:
    orchestration: Binary
    kernels: Sequence[tuple[int, str, Binary]]
    entry: str
    signature: Sequence[Arg] | None
    name: str


@pytest.fixture
def fake_callable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "ChipCallable", FakeCallable)


@pytest.mark.usefixtures("fake_callable")
def test_compile_makes_a_callable(tmp_path: Path) -> None:
    orchestration = write(tmp_path / "graph.cpp", 'extern "C" int build_graph() { return N; }')
    kernels = [
        Kernel(5, write(tmp_path / "k.cpp", KERNEL), "aiv"),
        Kernel(2, tmp_path / "k.cpp", "aic", name="second"),
    ]
    steps: list[tuple[int, int, str]] = []
    made: Any = compiler.compile(
        orchestration, kernels, defines=["N=3"], progress=lambda *step: steps.append(step), signature=[In("x")]
    )
    assert (made.entry, made.name, made.signature) == ("build_graph", "graph", [In("x")])
    assert load(made.orchestration, tmp_path).build_graph() == 3
    assert [(func_id, core, binary.name) for func_id, core, binary in made.kernels] == [
        (5, "aiv", "k"),
        (2, "aic", "second"),
    ]
    assert [step[:2] for step in steps] == [(1, 3), (2, 3), (3, 3)]
    assert sorted(step[2] for step in steps) == ["graph", "k", "second"]
    named: Any = compiler.compile(orchestration, [], defines=["N=3"], entry="other", name="my graph")
    assert (named.entry, named.name, named.signature, named.kernels) == ("other", "my graph", None, [])


@pytest.mark.usefixtures("fake_callable")
def test_two_kernels_of_one_id_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.cpp", KERNEL)
    other = write(tmp_path / "b.cpp", KERNEL)
    with pytest.raises(ArgumentError, match="func_id 4 is given to") as caught:
        compiler.compile(source, [Kernel(4, source, "aiv"), Kernel(4, other, "aic")])
    assert str(source) in caught.value.message
    assert str(other) in caught.value.message


def test_nothing_to_do_needs_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert compiler.compile_all([]) == []


# Arguments


@given(st.one_of(st.integers(max_value=-1), st.integers(min_value=1024), st.floats(), st.booleans(), st.text()))
def test_a_func_id_outside_the_range_is_refused(func_id: Any) -> None:
    with pytest.raises(ArgumentError, match=r"INVALID_ARGUMENT.*Kernel\('k.cpp'\): func_id is"):
        Kernel(func_id, "k.cpp", "aiv")


def test_kernels_have_names_and_ids() -> None:
    class Index:
        def __index__(self) -> int:
            return 1023

    index: Any = Index()
    assert Kernel(index, Path("a/scale.cpp"), "aic") == Kernel(1023, Path("a/scale.cpp"), "aic", name="scale")


def test_an_unknown_core_type_is_refused() -> None:
    core_type: Any = "AIV"
    with pytest.raises(ArgumentError, match="core_type is 'AIV'; it must be 'aic' or 'aiv'"):
        Kernel(0, "k.cpp", core_type)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "missing.cpp"}, "there is no source file '.*missing.cpp'"),
        ({"source": "."}, "there is no source file"),
        ({"source": "x" * 5000}, "there is no source file"),
        ({"source": "int x;\nint y;"}, "source is C\\+\\+ text; it must be the path of a file"),
        ({"flags": "-O3"}, "flags is '-O3'; it must be a sequence of strings"),
        ({"defines": [1]}, "defines is .1.; it must be a sequence of strings"),
        ({"include_dirs": "inc"}, "include_dirs is 'inc'; it must be a sequence of paths"),
    ],
)
def test_what_cannot_be_compiled_is_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    for make in (
        lambda: compiler.compile_kernel(
            Kernel(**{"func_id": 3, "core_type": "aiv", "source": source, **options}), "a5sim"
        ),
        lambda: compiler.compile_orchestration(runtime="r", platform="a5sim", **{"source": source, **options}),
    ):
        with pytest.raises(ArgumentError, match=message) as caught:
            make()
        assert re.match(r"kernel .* \(func_id 3, aiv\)|orchestration ", caught.value.where)


def test_other_arguments_are_checked(tmp_path: Path) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    with pytest.raises(SceneError, match="PLATFORM_UNKNOWN"):
        compiler.compile_kernel(Kernel(0, source, "aiv"), "a3sim")
    with pytest.raises(ArgumentError, match="runtime is 'no-name'"):
        compiler.compile_orchestration(source, "no-name", "a5sim")
    with pytest.raises(ArgumentError, match="max_workers is 0"):
        compiler.compile_all(jobs_for(source), max_workers=0)


def test_a_source_that_vanishes_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    jobs = jobs_for(source)
    source.unlink()
    with pytest.raises(ArgumentError, match="cannot read the source: No such file"):
        compiler.compile_all(jobs)


# What is said when it fails


def failure_of(work: Callable[[], object]) -> ChiphostError:
    with pytest.raises(CompileError) as caught:
        work()
    return caught.value


def test_an_error_has_file_line_and_a_command_to_paste(each_compiler: str, tmp_path: Path) -> None:
    source = write(tmp_path / "a b" / "bad.cpp", BROKEN)
    error = failure_of(lambda: compiler.compile_kernel(Kernel(3, source, "aiv"), "a2a3sim"))
    assert error.name == "COMPILE_FAILED"
    assert error.where == str(source)
    assert "kernel 'bad' (func_id 3, aiv)" in error.message
    assert re.search(rf"^{re.escape(str(source))}:2:\d+: error:.*nonsense", error.message, re.MULTILINE)
    assert "\x1b" not in error.message
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    (line,) = re.findall(r"^command: (.*)$", error.message, re.MULTILINE)
    assert shlex.split(line)[0] == shutil.which(each_compiler)
    source.write_text("int good;\n")
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "bad.so").is_file()


def test_the_command_knows_where_relative_flags_start(tmp_path: Path) -> None:
    source = write(tmp_path / "bad.cpp", BROKEN)
    write(tmp_path / "beside.h", "#define nonsense 1\n")
    flags = ["-include", "beside.h", "-DREST=nowhere"]
    write(source, BROKEN + "int c = REST;")
    error = failure_of(lambda: compiler.compile_kernel(Kernel(0, source, "aiv", flags=flags), "a2a3sim"))
    assert f"\ncommand: cd {tmp_path} && " in error.message


def test_every_file_that_failed_is_shown(tmp_path: Path, cache: CompileCache) -> None:
    sources = [write(tmp_path / f"k{i}.cpp", BROKEN if i % 2 else f"int n{i};") for i in range(6)]
    error = failure_of(lambda: compiler.compile_all(jobs_for(*sources)))
    assert error.name == "COMPILE_FAILED"
    assert error.message.startswith("3 of 6 files failed\n")
    positions = [error.message.index(f"{sources[i]}: kernel 'k{i}'") for i in (1, 3, 5)]
    assert positions == sorted(positions)
    assert error.message.count("\ncommand: ") == 3
    assert cache.stats().programs == 3


def test_an_enormous_output_is_cut_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    use_script(
        tmp_path / "cxx", "echo first; yes again and again | head -c 5000000; echo; echo last; exit 3", monkeypatch
    )
    error = failure_of(lambda: compiler.compile_all(jobs_for(source)))
    assert "ended with exit code 3\nfirst\nagain" in error.message
    assert "\nlast\ncommand: " in error.message
    assert re.search(r"\[\.\.\. 49\d{5} bytes left out \.\.\.\]", error.message)
    assert len(error.message) < 100_000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("kill -11 $$", "was ended by signal 11"),
        ("exit 0", "reported success but wrote no program"),
        ("printf '\\377\\n'; exit 1", "\ufffd"),
    ],
)
def test_odd_compilers_are_reported(body: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_script(tmp_path / "cxx", body, monkeypatch)
    error = failure_of(lambda: compiler.compile_all(jobs_for(write(tmp_path / "k.cpp", KERNEL))))
    assert error.name == "COMPILE_FAILED"
    assert message in error.message


def reap_all(number: int, frame: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@pytest.mark.parametrize("handler", [signal.SIG_IGN, reap_all], ids=["ignored", "reaped"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exec $real $*", "ended with exit code 1"),
        ("kill -11 $$", "was ended by signal 11"),
        ("echo words; exit 7", "ended with exit code 7"),
        ("exit 0", "reported success but wrote no program"),
    ],
)
def test_how_a_compiler_ended_is_known_whatever_becomes_of_children(
    handler: object, body: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_script(tmp_path / "cxx", body, monkeypatch)
    before = signal.signal(signal.SIGCHLD, handler)  # type: ignore[arg-type]
    try:
        error = failure_of(lambda: compiler.compile_all(jobs_for(write(tmp_path / "k.cpp", BROKEN))))
        monkeypatch.delenv("CXX")
        [program] = compiler.compile_all(jobs_for(write(tmp_path / "good.cpp", KERNEL)))
        assert compiler.compile_all(jobs_for(tmp_path / "good.cpp")) == [program]
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (error.name, message in error.message) == ("COMPILE_FAILED", True)


def test_a_missing_compiler_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure_of(lambda: compiler.compile_all(jobs_for(write(tmp_path / "k.cpp", KERNEL))))
    assert error.name == "COMPILER_MISSING"


def test_a_compiler_that_vanishes_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "cxx"
    use_script(script, 'rm "$0"\nexec $real "$@"', monkeypatch)
    sources = [write(tmp_path / f"k{i}.cpp", f"int n{i};") for i in range(3)]
    error = failure_of(lambda: compiler.compile_all(jobs_for(*sources), max_workers=1))
    assert error.name == "COMPILER_MISSING"
    assert str(script) in error.message


def test_no_room_for_temporary_files_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_for(write(tmp_path / "k.cpp", KERNEL), write(tmp_path / "bad.cpp", BROKEN))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    error = failure_of(lambda: compiler.compile_all(jobs[:1]))
    assert "no temporary folder can be made" in error.message
    assert "TMPDIR" in error.hint
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(compile_batch, "_TEMPORARY_BYTES_MIN", 1 << 62)
    assert "TMPDIR" in failure_of(lambda: compiler.compile_all(jobs[1:])).hint


def test_warnings_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    jobs = jobs_for(write(tmp_path / "k.cpp", "void f() { int unused; }\n"))
    with caplog.at_level(logging.WARNING, logger="chiphost"):
        compiler.compile_all(jobs)
        compiler.compile_all(jobs)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("chiphost", logging.WARNING)
    assert f"kernel 'k' (func_id 0, aiv): {tmp_path}" in record.getMessage()
    assert "k.cpp:1:" in record.getMessage()
    assert "[-Wunused-variable]" in record.getMessage()


def test_temporary_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    compiler.compile_all(jobs_for(write(tmp_path / "k.cpp", KERNEL)))
    failure_of(lambda: compiler.compile_all(jobs_for(write(tmp_path / "bad.cpp", BROKEN))))
    assert not list(temporary.iterdir())


# At the same time


def test_compiles_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each compile waits for the other to have started: one after the other they would never end.
    for name in "ab":
        os.mkfifo(tmp_path / name)
    one, two = f'"{tmp_path}/a"', f'"{tmp_path}/b"'
    body = f"""
case "$*" in
  *one.cpp*) echo > {one}; cat {two};;
  *two.cpp*) cat {one}; echo > {two};;
esac
exec $real "$@"
"""
    use_script(tmp_path / "cxx", body, monkeypatch)
    # Touch nothing afterwards: a compile that has to be repeated would wait alone.
    monkeypatch.setattr(compile_batch, "_ATTEMPTS", 1)
    sources = [write(tmp_path / name, f"int n{i};") for i, name in enumerate(("one.cpp", "two.cpp"))]
    assert len(compiler.compile_all(jobs_for(*sources), max_workers=2, timeout_s=60)) == 2


class Liveness:
    """A FIFO that processes hold open while they live."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self, parent: subprocess.Popen[str] | None = None) -> bytes:
        """What the processes write; empty when all have ended. The parent must live until they have started."""
        poll = select.poll()
        poll.register(self.handle, select.POLLIN)
        while not poll.poll(100):
            assert parent is None or parent.poll() is None, "ended before it started a compiler"
        return os.read(self.handle, 1024)

    def close(self) -> None:
        os.close(self.handle)


@pytest.fixture
def liveness(tmp_path: Path) -> Any:
    liveness = Liveness(tmp_path / "liveness")
    yield liveness
    liveness.close()


def use_hanging_compiler(
    liveness: Liveness, folder: Path, monkeypatch: pytest.MonkeyPatch, except_for: str = "nothing"
) -> None:
    # A compiler with a child, as g++ is one. The limit is for the case that nobody kills it.
    body = f"""
case "$*" in *{except_for}*) exec $real "$@";; esac
exec 9> "{liveness.path}"
echo started >&9
(sleep 60; echo survived >&9) &
wait
"""
    use_script(folder / "cxx", body, monkeypatch)


def test_a_compile_that_takes_too_long_is_killed(
    tmp_path: Path, liveness: Liveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hanging_compiler(liveness, tmp_path, monkeypatch)
    jobs = jobs_for(write(tmp_path / "k.cpp", KERNEL))
    error = failure_of(lambda: compiler.compile_all(jobs, timeout_s=0.5))
    assert error.name == "COMPILE_FAILED"
    assert "did not finish in timeout_s = 0.5 s and was killed" in error.message
    os.close(os.open(liveness.path, os.O_WRONLY))  # so that the end is seen even if the script had no time to start
    assert b"survived" not in b"".join(iter(liveness.read, b""))


@pytest.mark.parametrize("ends_a_wait", [True, False])
def test_an_interrupt_kills_the_compilers(
    tmp_path: Path, liveness: Liveness, monkeypatch: pytest.MonkeyPatch, ends_a_wait: bool
) -> None:
    use_hanging_compiler(liveness, tmp_path, monkeypatch)
    sources = [write(tmp_path / f"k{i}.cpp", KERNEL) for i in range(4)]
    code = """
import signal, sys, threading
from chiphost import compiler
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt_when_told():
    sys.stdin.read()
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # as if it came just before the first thread's wait
threading.Thread(target=interrupt_when_told, daemon=True).start()
jobs = [compiler.kernel_job(compiler.Kernel(i, source, "aiv"), "a2a3sim") for i, source in enumerate(sys.argv[1:])]
try:
    compiler.compile_all(jobs, max_workers=2)
except KeyboardInterrupt:
    print("interrupted")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *map(str, sources)]
    parent = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = b""
    while said.count(b"started") < 2:
        said += liveness.read(parent)
    if ends_a_wait:
        parent.send_signal(signal.SIGINT)
        assert parent.wait() == 0
    output, _ = parent.communicate()  # closes its input
    assert output == "interrupted\n"
    said += b"".join(iter(liveness.read, b""))
    assert said == b"started\nstarted\n"


def test_an_error_in_progress_stops_the_rest(
    tmp_path: Path, cache: CompileCache, liveness: Liveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hanging_compiler(liveness, tmp_path, monkeypatch, except_for="k2.cpp")
    sources = [write(tmp_path / f"k{i}.cpp", f"int n{i};") for i in range(5)]

    def give_up(done: int, total: int, name: str) -> None:
        raise LookupError(f"{done} of {total}: {name}")

    with pytest.raises(LookupError, match="1 of 5: k2"):
        compiler.compile_all(jobs_for(*sources), max_workers=5, progress=give_up)
    assert cache.stats().programs == 1
    os.close(os.open(liveness.path, os.O_WRONLY))  # so that the end is seen even if no script had time to start
    assert b"survived" not in b"".join(iter(liveness.read, b""))


def test_many_of_the_same_are_compiled_well(tmp_path: Path) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    jobs = jobs_for(*[source] * 8)
    binaries = compiler.compile_all(jobs, max_workers=8)
    assert len({binary.key for binary in binaries}) == 1
    assert [binary.key for binary in compiler.compile_all(jobs)] == [binary.key for binary in binaries]


@pytest.mark.parametrize(
    ("flag", "kind"), [("-c", "an object file"), ("-E", "something else, such as text"), ("-S", "something else")]
)
def test_flags_that_give_no_shared_library_are_refused(
    tmp_path: Path, cache: CompileCache, flag: str, kind: str, each_compiler: str
) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    for _ in range(2):  # and not kept in the cache
        with pytest.raises(CompileError, match=f"wrote no ELF shared library but {kind}") as caught:
            compiler.compile_kernel(Kernel(0, source, "aiv", flags=[flag]), "a2a3sim")
        assert caught.value.name == "COMPILE_FAILED"
        assert "out of flags" in str(caught.value.hint)
        assert flag in caught.value.message.split()
    assert cache.stats().programs == 0


def test_what_was_kept_and_is_no_shared_library_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(0, write(tmp_path / "k.cpp", KERNEL), "aiv", flags=["-c"])
    monkeypatch.setattr(output, "is_shared_library", lambda data: True)
    compiler.compile_kernel(kernel, "a2a3sim")
    monkeypatch.undo()
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(CompileError, match="wrote no ELF shared library"):
        compiler.compile_kernel(kernel, "a2a3sim")


def test_a_sanitizer_that_must_come_first_in_the_process_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    for options, runtime in ((["-fsanitize=address"], "libasan"), (["-g", "-fsanitize=thread"], "libtsan")):
        with pytest.raises(CompileError, match=f"needs {runtime}.*from its beginning") as caught:
            compiler.compile_kernel(Kernel(0, source, "aiv", flags=options), "a2a3sim")
        assert "-fsanitize" in caught.value.hint
    compiler.compile_kernel(Kernel(0, source, "aiv", flags=["-fsanitize=undefined"]), "a2a3sim")
