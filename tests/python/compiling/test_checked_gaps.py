# SPDX-License-Identifier: Apache-2.0
"""What an instrumented program does without a callback is named, with the line where it is."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from accesses import checked_kernel, plain_orchestration, use_callbacks
from cached_compiles import COMPILERS

import chiphost as ch
from chiphost import compiler
from chiphost._compiling import host_toolchain
from chiphost._compiling.cache import CompileCache

KERNEL = """
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    args[0] = 1;
    @BODY@
}
"""
LINE = 5  # of @BODY@ in a source whose first line is the include
ON_X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="instructions of x86-64")

Gaps = list[tuple[str, str]]


@pytest.fixture
def gaps(
    cache: CompileCache, each_compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Gaps]:
    """Compiles a kernel with a body, text before it, and flags; gives its gaps, each with the file's name and line."""
    use_callbacks(tmp_path, monkeypatch)

    def found(body: str, before: str = "", *flags: str) -> Gaps:
        source = tmp_path / "kernel.cpp"
        source.write_text(f"#include <chiphost/kernel.h>{before}\n{KERNEL.replace('@BODY@', body)}")
        _, named = checked_kernel(source, *flags)
        return [(reason, Path(place).name) for reason, place in named]

    return found


def library(folder: Path, name: str, *flags: str) -> Path:
    """An object file, or with -shared a shared library, that defines `outside`."""
    source = folder / "outside.cpp"
    source.write_text('extern "C" void outside(long* to) { *to = 1; }\n')
    cxx = host_toolchain.find_compiler().command
    subprocess.run([*cxx, "-O1", "-fPIC", *flags, str(source), "-o", str(folder / name)], check=True)
    return folder / name


OUTSIDE = '\nextern "C" void outside(int64_t*);'


NO_GAPS = [
    "",
    'asm volatile("");',
    'asm volatile("" ::: "memory");',
    'asm volatile("# a comment\\n\\tnop");',
    '__builtin_printf("%d\\n", (int)args[1]);',
    "if (args[1]) __builtin_abort();",
    "delete new int64_t(args[1]);",
    "args[1] = (int64_t)__builtin_sin((double)args[2]);",
    'if (args[1] == 2) throw "a text";',
    "__builtin_memcpy(args + 8, args, 64);",
]
HARMLESS = [f'asm volatile("{each}" ::: "rax", "rdx");' for each in ("pause", "mfence", "rep; nop", "rdtsc")]
VECTORS = {  # with what their functions are compiled for
    "_mm_stream_ps((float*)args, _mm_set1_ps(2));": "sse2",
    "_mm_stream_si32((int*)args, 2);": "sse2",
    "_mm_storeh_pi((__m64*)args, _mm_set1_ps(1));": "sse2",
    "_mm_maskmoveu_si128(_mm_set1_epi8(1), _mm_set1_epi8(args[1]), (char*)args);": "sse2",
    "_mm256_maskstore_ps((float*)args, _mm256_set1_epi32(args[1]), _mm256_set1_ps(2));": "avx2",
    "_mm256_storeu_ps((float*)args, _mm256_i32gather_ps((float*)args, _mm256_set1_epi32(1), 4));": "avx2",
    "_mm512_mask_storeu_ps((float*)args, (__mmask16)args[1], _mm512_set1_ps(2));": "avx512f",
}


@pytest.fixture(scope="module", params=COMPILERS)
def gaps_by_statement(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Gaps]:
    """A compiler, and the gaps of one kernel with all statements, each of them in a line and a function of its own.

    Every compile takes a second or more, so that these share one. Each gap has the statement instead of its place, or
    the place if that is no statement's line.
    """
    on_x86 = platform.machine() == "x86_64"
    lines = ["#include <chiphost/kernel.h>", *(["#include <immintrin.h>"] if on_x86 else [])]
    at_line = {}
    for statement in [*NO_GAPS, *([*HARMLESS, *VECTORS] if on_x86 else [])]:
        target = f'__attribute__((target("{VECTORS[statement]}"))) ' if statement in VECTORS else ""
        lines.append(f'extern "C" {target}void function_{len(lines)}(int64_t* args) {{ args[0] = 1; {statement} }}')
        at_line[f"kernel.cpp:{len(lines)}"] = statement
    folder = tmp_path_factory.mktemp("statements")
    source = folder / "kernel.cpp"
    source.write_text("\n".join(lines) + KERNEL.replace("@BODY@", ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXX", request.param)
        patch.setenv("CHIPHOST_CACHE_DIR", str(folder / "cache"))
        use_callbacks(folder, patch)
        _, named = checked_kernel(source)
    return request.param, [(reason, at_line.get(Path(place).name, place)) for reason, place in named]


@pytest.mark.parametrize(
    "statement",
    [*NO_GAPS, *(pytest.param(each, marks=ON_X86) for each in HARMLESS)],
)
def test_what_touches_no_memory_of_the_program_or_is_seen_is_no_gap(
    gaps_by_statement: tuple[str, Gaps], statement: str
) -> None:
    """Instructions that wait or order touch none, too. A gap whose place is unknown may be of any statement."""
    _, found = gaps_by_statement
    assert [each for each in found if each[1] in (statement, "")] == []
    assert {place for _, place in found} <= {*NO_GAPS, *HARMLESS, *VECTORS}


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_inline_assembly(gaps, level: str) -> None:
    assert gaps('asm volatile(".byte 0x90");', "", level) == [("inline assembly", f"kernel.cpp:{LINE}")]


def test_inline_assembly_in_a_function_that_is_inlined_and_in_two_places(gaps) -> None:
    before = '\nstatic inline void trap() { asm volatile("ret"); }'
    assert gaps('trap(); asm volatile("ret");', before) == [
        ("inline assembly", "kernel.cpp:2"),
        ("inline assembly", f"kernel.cpp:{LINE + 1}"),
    ]


def test_inline_assembly_without_debugging_information_is_named(gaps, each_compiler: str) -> None:
    found = gaps('asm volatile("ret");', "", "-g0")
    assert [reason for reason, _ in found] == ["inline assembly"]


def test_assembly_outside_of_functions(gaps) -> None:
    assert gaps("", '\nasm(".globl other\\nother: ret");') == [("inline assembly", "")]


def test_functions_without_instrumentation(gaps) -> None:
    before = '\n__attribute__((noinline, no_sanitize("thread"))) void hidden(int64_t* to) { *to = 2; }'
    [(reason, _)] = gaps("hidden(args);", before)
    assert "hidden" in reason and "is marked no_sanitize" in reason


@ON_X86
@pytest.mark.parametrize("statement", VECTORS)
def test_instructions_of_vectors_are_named_or_seen(gaps_by_statement: tuple[str, Gaps], statement: str) -> None:
    """What is compiled to instructions of vectors with a mask has no callback in both; some clang++ instruments."""
    compiler, all_gaps = gaps_by_statement
    found = [reason for reason, place in all_gaps if place == statement]
    seen = compiler == "clang++" and any(word in statement for word in ("_stream_", "_storeh_"))
    assert bool(found) != seen
    assert all(f"{compiler} does not instrument" in reason for reason in found)


def test_functions_of_another_library(gaps, tmp_path: Path) -> None:
    library(tmp_path, "liboutside.so", "-shared")
    flags = (f"-L{tmp_path}", "-loutside", f"-Wl,-rpath,{tmp_path}")
    assert gaps("outside(args);", OUTSIDE, *flags) == [("it calls outside of another library", "")]


def test_functions_of_the_c_library(gaps) -> None:
    before = "\n#include <stdlib.h>"
    body = "qsort(args, 2, 8, [](const void*, const void*) { return 1; });"
    assert gaps(body, before) == [("it calls qsort of the C library", "")]


def test_an_object_file_and_an_archive(gaps, tmp_path: Path) -> None:
    made = library(tmp_path, "outside.o", "-c")
    assert gaps("outside(args);", OUTSIDE, str(made)) == [("it contains outside.o, which is not instrumented", "")]
    subprocess.run(["ar", "rcs", str(tmp_path / "liboutside.a"), str(made)], check=True)
    named = [("it contains liboutside.a, which is not instrumented", "")]
    assert gaps("outside(args);", OUTSIDE, str(tmp_path / "liboutside.a")) == named
    assert gaps("outside(args);", OUTSIDE, f"-L{tmp_path}", "-loutside") == named


def test_an_instrumented_archive_is_no_gap(gaps, tmp_path: Path) -> None:
    made = library(tmp_path, "outside.o", "-c", "-fsanitize=thread")
    assert gaps("outside(args);", OUTSIDE, str(made)) == []


def test_flags_with_a_further_source(gaps, tmp_path: Path) -> None:
    (tmp_path / "more.cpp").write_text('extern "C" void outside(long* to) { *to = 1; }\n')
    [(reason, place)] = gaps("outside(args);", OUTSIDE, "more.cpp")
    assert reason.startswith("its flags name further files to compile") and place == ""


def test_a_source_that_only_compiles_without_instrumentation(gaps, each_compiler: str) -> None:
    condition = "__has_feature(thread_sanitizer)" if each_compiler == "clang++" else "defined __builtin_memcpy"
    [(reason, place)] = gaps("", f"\n#if {condition}\n#error this is refused\n#endif")
    assert reason.startswith("its instrumented compile failed: ") and "this is refused" in reason and place == ""


def test_a_version_script_that_hides_the_callbacks(gaps, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("{ global: kernel_entry; local: *; };")
    [(reason, _)] = gaps("", "", f"-Wl,--version-script={tmp_path}/script")
    assert "its instrumented compile failed" in reason and "chiphost_check_attach" in reason


def test_operations_for_which_there_is_no_callback(gaps) -> None:
    """The callbacks of the tests have atomic operations of 4 bytes only."""
    [(reason, _)] = gaps("__atomic_fetch_add((char*)args, 1, 0);")
    assert "its instrumented compile failed" in reason and "__tsan_atomic8_fetch_add" in reason


def test_programs_given_as_binaries(cache: CompileCache, tmp_path: Path) -> None:
    binary = plain_orchestration(tmp_path)
    callable = ch.ChipCallable(binary, [(3, "aiv", binary)])
    checked = compiler.checked(callable)
    assert [(gap.program, gap.reason, gap.place) for gap in checked.gaps] == [
        ("orchestration 'orchestration'", "it was given as a binary", ""),
        ("kernel 'orchestration' (func_id 3)", "it was given as a binary", ""),
    ]
    assert checked.callable.key == callable.key
