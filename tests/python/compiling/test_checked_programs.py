# SPDX-License-Identifier: Apache-2.0
"""Instrumented programs: what they are linked with, how they are kept, and that others stay as they are."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from accesses import Accesses, checked_kernel, use_callbacks
from callables import FOLDER
from throwaway_scenes import RUNTIME, write_scenes

import chiphost as ch
from chiphost import compiler
from chiphost._compiling.cache import CompileCache
from chiphost._elf.file import ElfFile
from chiphost._runtimes import installation
from chiphost.scenes import catalog
from chiphost.scenes.programs import compile_scenes

COPY = 'extern "C" void f(char* to, const char* from) { __builtin_memcpy(to, from, 24); to[40] = from[40]; }\n'


@pytest.fixture
def source(cache: CompileCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel's source, and an archive of callbacks for chiphost."""
    use_callbacks(tmp_path, monkeypatch)
    path = tmp_path / "kernel.cpp"
    path.write_text(COPY)
    return path


def copy_callable() -> ch.ChipCallable:
    return ch.compile(FOLDER / "copy_tensor.cpp", [ch.Kernel(0, FOLDER / "copy_bytes.cpp", "aiv")])


def test_it_needs_no_runtime_of_a_sanitizer(source: Path, each_compiler: str, tmp_path: Path) -> None:
    binary, gaps = checked_kernel(source)
    (tmp_path / "program.so").write_bytes(binary.data)
    with ElfFile(tmp_path / "program.so") as elf:
        assert not [name for name in elf.needed if "san" in name]
        assert not [name for name in elf.imports if name.startswith(("__tsan_", "__wrap_", "__real_"))]
        assert "chiphost_check_attach" in elf.exports
        stack = [segment.flags for segment in elf.segments if segment.type == "PT_GNU_STACK"]
    assert gaps == []
    assert stack == [6], "the stack can be executed"


def test_it_gives_the_right_results(source: Path, each_compiler: str) -> None:
    checked = compiler.checked(copy_callable())
    assert checked.gaps == ()
    x = np.arange(300, dtype=np.float32)
    out = np.zeros_like(x)
    with ch.ChipWorker("host_build_graph", "a2a3sim") as worker:
        worker.run(checked.callable, [x, out])
    np.testing.assert_array_equal(out, x)


def test_it_is_like_the_plain_callable_but_for_the_programs(source: Path) -> None:
    plain = ch.compile(
        FOLDER / "copy_tensor.cpp",
        [ch.Kernel(7, FOLDER / "copy_bytes.cpp", "aic")],
        signature=[ch.In("x"), ch.Out("out")],
        name="some name",
        platform="a5sim",
    )
    made = compiler.checked(plain).callable
    for name in ("name", "entry", "signature", "platform"):
        assert getattr(made, name) == getattr(plain, name)
    assert [kernel[:2] for kernel in made.kernels] == [(7, "aic")]
    assert made.orchestration.key != plain.orchestration.key and made.kernels[0][2].key != plain.kernels[0][2].key


def test_it_is_remembered_with_the_callable(source: Path) -> None:
    callable = copy_callable()
    first = compiler.checked(callable)
    assert compiler.checked(callable) is first
    gone = weakref.ref(first.callable)
    del callable, first
    gc.collect()
    assert gone() is None


def test_it_comes_from_the_cache(source: Path, compiles: Callable[[], int]) -> None:
    first, _ = checked_kernel(source)
    before = compiles()
    again, _ = checked_kernel(source)
    assert (again.key, compiles()) == (first.key, before)


def test_gaps_come_from_the_cache(source: Path, compiles: Callable[[], int]) -> None:
    source.write_text(COPY + 'void g() { asm volatile("ret"); }\n')
    first = checked_kernel(source)[1]
    before = compiles()
    assert checked_kernel(source)[1] == first == [("inline assembly", f"{source}:2")]
    assert compiles() == before


def test_other_callbacks_make_another_program(source: Path, compiles: Callable[[], int], tmp_path: Path) -> None:
    checked_kernel(source)
    before = compiles()
    archive = installation.check_callbacks()
    archive.write_bytes(archive.read_bytes() + b"\n")
    checked_kernel(source)
    assert compiles() > before


def test_plain_programs_are_as_before(source: Path, compiles: Callable[[], int]) -> None:
    kernel = ch.Kernel(0, source, "aiv")
    plain = compiler.compile_kernel(kernel, "a2a3sim")
    checked_kernel(source)
    before = compiles()
    again = compiler.compile_kernel(kernel, "a2a3sim")
    assert (again, compiles()) == (plain, before)
    assert b"__tsan_" not in again.data and b"chiphost_check_attach" not in again.data


def test_a_prelude_is_compiled_for_checks_too(source: Path, tmp_path: Path) -> None:
    (tmp_path / "prelude.h").write_text(
        "#include <string.h>\ninline void copy(char* to, const char* from) { __builtin_memcpy(to, from, 24); }\n"
    )
    kernels = []
    for number in range(6):
        text = f'extern "C" void f(char* to, const char* from) {{ copy(to, from); to[24] = {number}; }}\n'
        (tmp_path / f"kernel_{number}.cpp").write_text(text)
        kernels.append(ch.Kernel(number, tmp_path / f"kernel_{number}.cpp", "aiv", prelude=tmp_path / "prelude.h"))
    checked = compiler.checked(ch.compile(FOLDER / "copy_tensor.cpp", kernels))
    assert checked.gaps == ()
    for _, _, binary in checked.callable.kernels:
        assert Accesses(binary.data, tmp_path).of("f") == ([(0, 24)], [(0, 25)])


def test_a_binary_is_pickled_with_its_source(source: Path) -> None:
    callable = copy_callable()
    copy = pickle.loads(pickle.dumps(callable))
    assert copy.orchestration == callable.orchestration
    assert compiler.checked(copy).callable.key == compiler.checked(callable).callable.key


def test_a_source_that_is_gone_is_a_gap(source: Path) -> None:
    binary = compiler.compile_kernel(ch.Kernel(0, source, "aiv"), "a2a3sim")
    source.unlink()
    checked = compiler.checked(ch.ChipCallable(binary, []))
    [gap] = checked.gaps
    assert gap.reason.startswith("its source cannot be compiled again") and str(source) in gap.reason
    assert checked.callable.orchestration == binary


def test_a_real_chip_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callable = ch.ChipCallable(ch.Binary(b"nothing", "0", "name", "a2a3"), [])
    with pytest.raises(ch.ArgumentError, match=r"checks need a simulated platform.*a2a3"):
        compiler.checked(callable)


def test_a_missing_archive_is_an_error(source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installation, "check_callbacks", lambda: tmp_path / "nowhere.a")
    with pytest.raises(ch.CompileError, match=r"library for checks is missing.*nowhere\.a"):
        compiler.checked(copy_callable())
    entries = catalog.select(write_scenes(tmp_path / "scenes", "passes"), platform="a2a3sim")
    with pytest.raises(ch.CompileError, match=r"library for checks is missing.*nowhere\.a"):
        compile_scenes(entries, "a2a3sim", checked=True)


def test_scenes_are_compiled_for_checks_at_once(source: Path, tmp_path: Path, compiles: Callable[[], int]) -> None:
    root = write_scenes(tmp_path / "scenes", "passes", "does_not_compile")
    refused = root / RUNTIME / "passes" / "kernel.cpp"
    entries = catalog.select(root, platform="a2a3sim")
    done = compile_scenes(entries, "a2a3sim", checked=True)
    before = compiles()
    [program] = done[f"{RUNTIME}/passes"]
    checked = compiler.checked(program)
    assert (checked.gaps, compiles()) == ((), before)
    assert isinstance(done[f"{RUNTIME}/does_not_compile"], ch.CompileError)

    refused.write_text("#ifdef __builtin_memcpy\n#error refused\n#endif\n" + refused.read_text())
    done = compile_scenes(entries, "a2a3sim", checked=True)
    [program] = done[f"{RUNTIME}/passes"]
    if compiler.checked(program).gaps:  # clang++ defines no such macro
        [gap] = compiler.checked(program).gaps
        assert "refused" in gap.reason and gap.program == "kernel 'kernel' (func_id 0)"
