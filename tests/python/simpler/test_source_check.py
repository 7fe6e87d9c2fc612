# SPDX-License-Identifier: Apache-2.0
"""Findings that are certain before a compile: assembler of another processor, and types that exist nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiphost._simpler import source_check

SOURCE = Path("/somewhere/scene/orch.cpp")
X86 = "x86_64-linux-gnu"
COUNTER = 'uint64_t now() { uint64_t t; asm volatile("mrs %0, cntvct_el0" : "=r"(t)); return t; }\n'


def preprocessed(own: str, other: str = "") -> str:
    """A file that includes another, as a preprocessor leaves it: here the own text begins in line 10."""
    return f'# 0 "{SOURCE}"\n# 0 "<built-in>"\n# 1 "/usr/include/other.h" 1 3\n{other}\n# 10 "{SOURCE}" 2\n{own}'


def assembler(own: str, other: str = "", target: str = X86) -> str | None:
    at = source_check.foreign_assembler(preprocessed(own, other), target, SOURCE)
    return None if at is None else f"{at.file}:{at.line}: {at.what}"


@pytest.mark.parametrize(
    "own",
    [
        COUNTER,
        f'extern "C" {{\n__attribute__((visibility("default"))) {COUNTER}}}',
        f"namespace timing {{ {COUNTER} }}",
        f"inline {COUNTER} void entry(int x) {{ if (x) now(); }}",
        f"static inline {COUNTER} namespace {{ template <typename T> T both() {{ return now() + now(); }} }}\n"
        "int entry() { return both<int>(); }",
        f"struct Clock {{ {COUNTER} }};\nint entry(Clock c) {{ return c.now(); }}",
        'void entry() {\n__asm__ __volatile__("isb" "\\n" ::: "memory"); }',
        'asm("dmb sy");',
        'void entry() { asm volatile("nop\\n\\tDSB sy" : : : "memory"); }',
        'Clock::Clock(int x) : a(x) { asm volatile("wfe"); }',
        'void entry() { asm("yield"); }',
    ],
)
def test_assembler_that_must_be_compiled_is_found(own: str) -> None:
    found = assembler(own)
    assert found is not None
    assert found.startswith(f"{SOURCE}:1"), found
    assert source_check.may_have_foreign_assembler(own) or "DSB" in own


@pytest.mark.parametrize(
    "own",
    [
        f"inline {COUNTER} void entry() {{}}",
        f"static {COUNTER} inline int unused() {{ return now(); }} void entry() {{}}",
        f"namespace {{ {COUNTER} }}\nvoid entry() {{}}",
        f"struct Clock {{ {COUNTER} }};\nvoid entry() {{}}",
        'void entry() { asm volatile("rdtsc" : "=a"(x)); }',
        'void entry() { uint64_t t; asm("mrs %0, cntvct_el0" : "=r"(t)); }',  # may be left out
        f"inline {COUNTER} void entry() {{ if constexpr (sizeof(long) == 4) now(); }}",
        'inline int now(int) { asm volatile("isb"); return 1; } inline int now() { return 2; }\n'
        "int entry() { return now(); }",
        'const char* text = "asm(isb)"; void entry() { log("isb"); }',
        "void entry() {}",
        "",
        "} } { ( asm",
    ],
)
def test_assembler_that_is_left_out_or_is_none_is_nothing(own: str) -> None:
    assert assembler(own) is None


def test_other_processors_and_other_peoples_headers_are_not_asked() -> None:
    assert assembler(COUNTER, target="aarch64-linux-gnu") is None
    assert assembler(COUNTER, target="riscv64-linux-gnu") is None
    assert assembler("void entry() {}", COUNTER) is None
    assert assembler(COUNTER, target="i686-linux-gnu") == f"{SOURCE}:10: mrs %0, cntvct_el0"


def undefined(own: str, other: str = "") -> list[str]:
    found = source_check.undefined_types(preprocessed(own, other), SOURCE)
    return [f"{at.what} in line {at.line}" for at in found]


def test_a_type_that_exists_nowhere_is_found_once() -> None:
    own = "void f(Data* a, Data& b);\nvoid g(long* a) {\n  Data* d = reinterpret_cast<const Data*>(a[0]);\n"
    own += "  auto* e = static_cast<Data*>(a);\n  auto* f = reinterpret_cast<Other *>(d);\n}\n"
    assert undefined(own) == ["Data in line 12", "Other in line 14"]
    assert undefined(own, "struct Other;") == ["Data in line 12"]
    assert source_check.may_have_undefined_types(own, {"Other"}.__contains__)
    assert not source_check.may_have_undefined_types(own, {"Data", "Other"}.__contains__)


@pytest.mark.parametrize(
    "own",
    [
        "struct Data; {}",
        "using Data = int; {}",
        "using pto::Data; {}",
        "typedef struct { int x; } Data; {}",
        "template <typename Data> {}",
        "template <std::integral Data> {}",
        "enum class Data : int {{ A }}; {}",
        "void h(struct Data* x); {}",
        "typedef int *Data; {}",
    ],
)
def test_a_type_that_something_introduces_is_none(own: str) -> None:
    text = own.replace("{}", "void g(long* a) { f(reinterpret_cast<Data*>(a[0])); }")
    assert undefined(text) == []


@pytest.mark.parametrize(
    "cast", ["unsigned long*", "std::string*", "__int128*", "Data<int>*", "volatile char*", "decltype(a)", "long&&"]
)
def test_casts_to_other_things_are_not_asked(cast: str) -> None:
    text = f"void g(long* a) {{ f(reinterpret_cast<{cast}>(a[0])); }}"
    assert undefined(text) == []
