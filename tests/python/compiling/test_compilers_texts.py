# SPDX-License-Identifier: Apache-2.0
"""What is not instrumented, found in texts of compilers that need not be installed here."""

from __future__ import annotations

import pytest

from chiphost._compiling.instrumented import unchecked
from chiphost._compiling.instrumented.clang_output import in_ir
from chiphost._compiling.instrumented.gcc_output import in_assembler_text, in_dump
from chiphost._compiling.instrumented.llvm_types import bits_of, first_type
from chiphost._compiling.instrumented.unchecked import Unchecked

ASM = "inline assembly"


def module(body: str, attributes: str = "nounwind sanitize_thread") -> str:
    return (
        f"define void @f(ptr %to, ptr %from) #0 {{\n{body}\n  ret void\n}}\nattributes #0 = {{ {attributes} }}\n"
        '!1 = !DIFile(filename: "kernel.cpp", directory: "/src")\n'
        '!2 = !DIFile(filename: "/usr/include/header.h", directory: "")\n'
        '!3 = distinct !DISubprogram(name: "f", scope: !1, file: !1, line: 1)\n'
        '!4 = distinct !DISubprogram(name: "g", scope: !2, file: !2, line: 8)\n'
        "!5 = distinct !DILocation(line: 7, column: 1, scope: !3)\n"
        "!6 = !DILocation(line: 9, column: 1, scope: !4, inlinedAt: !5)\n"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("  %x = load i32, ptr %from, align 4", ""),
        ("  %x = load atomic i64, ptr %from seq_cst, align 8", ""),
        ("  %x = load <4 x float>, <4 x float>* %from, align 16", ""),
        ("  %x = load <8 x float>, ptr %from, align 4", "a load of 32 bytes"),
        ("  %x = load volatile <3 x float>, ptr %from, align 4", "a load of 12 bytes"),
        ("  %x = load <vscale x 4 x float>, ptr %from, align 4", "a load of the type <vscale x 4 x float>"),
        ("  store <8 x i32> <i32 1, i32 2, i32 3>, <8 x i32>* %from, align 4", "a store of 32 bytes"),
        ("  store i24 0, ptr %to, align 1", "a store of 3 bytes"),
        ("  store void (i32, i8*)* %x, void (i32, i8*)** %y, align 8", ""),
        ("  store x86_fp80 %x, x86_fp80* %y, align 16", "a store of 10 bytes"),
        ("  store <8 x i32> zeroinitializer, ptr @table, align 4", ""),
        ("  %b = alloca <8 x i32>\n  store <8 x i32> zeroinitializer, ptr %b, align 4", ""),
        ("  %b = alloca [9 x i64]\n  %c = getelementptr [9 x i64], ptr %b, i64 0\n  store i512 0, ptr %c, align 4", ""),
        ("  %c = getelementptr i8, ptr %to, i64 8\n  store i512 0, ptr %c, align 4", "a store of 64 bytes"),
        ("  call void @llvm.masked.store.v8f32.p0(<8 x float> %x, ptr %to, i32 4, <8 x i1> %m)", "llvm.masked.store"),
        ("  %x = call <8 x float> @llvm.x86.avx2.gather.d.ps.256(<8 x float> %y, ptr %from, i8 4)", "llvm.x86.avx2"),
        ("  call void @llvm.aarch64.neon.st2.v4f32.p0(<4 x float> %x, <4 x float> %y, ptr %to)", "llvm.aarch64.neon"),
        ("  call void @llvm.x86.sse2.clflush(ptr %to)", ""),
        ("  %x = call <4 x float> @llvm.x86.sse.max.ps(<4 x float> %y, <4 x float> %z)", ""),
        ("  call void @llvm.prefetch.p0(ptr %to, i32 0, i32 3, i32 1)", ""),
        ('  call void asm sideeffect "", "~{memory}"()', ""),
        ('  %x = call i64 asm "mov $0, $1\\0A\\09nop", "=r,r"(i64 %y)', ASM),
        ('  call void asm sideeffect "# word\\0Apause", "~{memory}"()', ""),
    ],
)
def test_lines_of_clang(line: str, reason: str) -> None:
    found = list(in_ir(module(line)))
    assert len(found) == bool(reason)
    assert all(each.reason.startswith(reason) for each in found)


def test_the_users_line_of_clang() -> None:
    inlined, own = "  store i512 0, ptr %to, align 4, !dbg !6", "  store i512 0, ptr %from, align 4, !dbg !5"
    assert [each.place for each in in_ir(module(inlined + "\n" + own))] == ["/src/kernel.cpp:7"] * 2


def test_functions_and_modules_of_clang() -> None:
    assert list(in_ir(module("", "nounwind"))) == [Unchecked("the function f is marked no_sanitize")]
    assert list(in_ir('module asm ".globl x"\nmodule asm "x: ret"\n')) == [Unchecked(ASM)] * 2
    assert not list(in_ir(module("")))


@pytest.mark.parametrize(
    ("operands", "kind", "bits"),
    [
        ("i1 %x, ptr %y", "i1", 8),
        ("[2 x i64] %x, ptr %y", "[2 x i64]", 128),
        ('%"class.a::b"* %x, ptr %y', '%"class.a::b"*', 64),
        ("%struct.a %x, ptr %y", "%struct.a", 0),
        ("<16 x i1> %x, ptr %y", "<16 x i1>", 16),
        ("<2 x i8*> %x, ptr %y", "<2 x i8*>", 128),
        ("{ i64, i64 } %x, ptr %y", "{ i64, i64 }", 0),
    ],
)
def test_types_of_llvm(operands: str, kind: str, bits: int) -> None:
    assert (first_type(operands), bits_of(kind)) == (kind, bits)


@pytest.mark.parametrize("sign", ["#", "//"])
def test_assembler_text_of_gcc(sign: str) -> None:
    text = (
        f'{sign}APP\n{sign} 4 "a.cpp" 1\n\tret\n{sign} 0 "" 2\n\t.loc 1 5\n\tmov x0, x1\n{sign} 6 "b.cpp" 1\n\tnop\n'
        f'{sign} 0 "" 2\n{sign}NO_APP\n\tmov x0, x1\n'
    )
    assert list(in_assembler_text(text)) == [Unchecked(ASM, "a.cpp:4")]


def test_dump_of_gcc() -> None:
    text = """
;; Function h (_Z1hv, funcdef_no=1)
__attribute__((no_sanitize (thread)))
;; Function g (_Z1gv, funcdef_no=2)
__attribute__((no_sanitize (address)))
  [a.cpp:3:1] # DEBUG __P => __builtin_ia32_movntps (x)
  [/usr/lib/gcc/include/xmmintrin.h:1290:3] __builtin_ia32_movntps (_1, x);
  [a.cpp:4:1] _2 = __builtin_ia32_ldmxcsr (x);
  [a.cpp:5:1] __builtin___tsan_func_entry (_2);
  [a.cpp:6:1] _3 = __builtin_memcpy (_1, _2, 100);
"""
    assert list(in_dump(text)) == [
        Unchecked("the function h is marked no_sanitize"),
        Unchecked("__builtin_ia32_movntps, whose accesses g++ does not instrument", "a.cpp:3"),
        Unchecked("__builtin_memcpy, whose accesses g++ does not instrument", "a.cpp:6"),
    ]


def test_records_come_back_as_they_were() -> None:
    records = [Unchecked('a "reason"\\ ü', "/a b/c.cpp:1"), Unchecked("without a place")]
    text = unchecked.section([*records, records[0]])
    numbers = [int(word) for line in text.splitlines() if line.startswith(".byte") for word in line[6:].split(",")]
    assert unchecked.read(b"before" + bytes(numbers) + b"after\0\0") == records
    assert unchecked.read(b"a program without the section") == []
