# SPDX-License-Identifier: Apache-2.0
"""Compiling: the programs that come out, and the arguments of the functions."""

from __future__ import annotations

import ctypes
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st
from kernel_sources import KERNEL, jobs_for, write

from chiphost import compiler
from chiphost._compiling.cache import CompileCache
from chiphost.compiler import Binary, Kernel
from chiphost.errors import ArgumentError, SceneError
from chiphost.signature import Arg, In

pytestmark = pytest.mark.usefixtures("cache")


def load(binary: Binary, folder: Path) -> ctypes.CDLL:
    path = folder / f"{binary.key}.so"
    path.write_bytes(binary.data)
    return ctypes.CDLL(str(path))


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
    # Constructs for which compilers make up names, and the date.
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
