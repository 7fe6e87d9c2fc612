# SPDX-License-Identifier: Apache-2.0
"""Instrumented programs say of every byte that they read or write it, whatever the compiler makes of the source."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest
from accesses import Accesses, Ranges, checked_kernel, use_callbacks

from chiphost._compiling.cache import CompileCache

HEADER = """
#include <stdint.h>
#include <string.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>
#define FUNCTION(name) extern "C" void name(char* written, char* read)
#define AS(T) [[maybe_unused]] T* a = (T*)written; [[maybe_unused]] const T* b = (const T*)read
struct Small { int values[3]; };
struct Odd { char bytes[3]; };
struct Large { int values[100]; };
struct Bits { unsigned first : 3, second : 7, third : 22; };
// As libraries of tiles are written: sizes are template arguments, and every step is a function.
template <typename T, int rows, int columns> struct Tile { T values[rows][columns]; };
template <typename T, int rows, int columns>
inline void load(Tile<T, rows, columns>& tile, const T* from, int stride) {
    for (int row = 0; row < rows; ++row)
        for (int column = 0; column < columns; ++column) tile.values[row][column] = from[row * stride + column];
}
template <typename T, int rows, int columns>
inline void store(T* to, const Tile<T, rows, columns>& tile, int stride) {
    for (int row = 0; row < rows; ++row) memcpy(to + row * stride, tile.values[row], sizeof tile.values[row]);
}
"""

# Each function with what it reads and writes: ranges in bytes.
FUNCTIONS: dict[str, tuple[str, Ranges, Ranges]] = {
    "add": ("AS(float); for (int i = 0; i < 100; ++i) a[i] = b[i] + 1;", [(0, 400)], [(0, 400)]),
    "add_doubles": ("AS(double); for (int i = 0; i < 7; ++i) a[i] = b[i] * b[i];", [(0, 56)], [(0, 56)]),
    "add_bytes": ("AS(uint8_t); for (int i = 0; i < 100; ++i) a[i] = b[i] + 1;", [(0, 100)], [(0, 100)]),
    "reverse": ("AS(int); for (int i = 0; i < 100; ++i) a[99 - i] = b[i];", [(0, 400)], [(0, 400)]),
    "widen": ("AS(uint8_t); int* to = (int*)a; for (int i = 0; i < 64; ++i) to[i] = b[i];", [(0, 64)], [(0, 256)]),
    "where_positive": ("AS(int); for (int i = 0; i < 64; ++i) if (b[i] > 0) a[i] = b[i] * 2;", [(0, 256)], [(0, 256)]),
    "pairs": ("AS(float); for (int i = 0; i < 64; ++i) a[i] = b[2 * i] + b[2 * i + 1];", [(0, 512)], [(0, 256)]),
    "interleaved": (
        "AS(float); for (int i = 0; i < 64; ++i) { a[2 * i] = b[i]; a[2 * i + 1] = b[i] + 1; }",
        [(0, 256)],
        [(0, 512)],
    ),
    "every_fourth": (
        "AS(float); for (int i = 0; i < 64; ++i) a[i] = b[4 * i];",
        [(16 * at, 16 * at + 4) for at in range(64)],
        [(0, 256)],
    ),
    "to_every_third": (
        "AS(float); for (int i = 0; i < 64; ++i) a[3 * i] = b[i];",
        [(0, 256)],
        [(12 * at, 12 * at + 4) for at in range(64)],
    ),
    # The bytes to read begin with 49, 50, 51 and so on.
    "gathered": (
        "AS(uint8_t); int* to = (int*)a; for (int i = 0; i < 48; ++i) to[i] = ((const int*)b)[b[i]];",
        [(0, 48), (196, 388)],
        [(0, 192)],
    ),
    "scattered": (
        "AS(uint8_t); int* to = (int*)a; for (int i = 0; i < 48; ++i) to[b[i]] = i;",
        [(0, 48)],
        [(196, 388)],
    ),
    "four_neighbours": (
        "AS(float); a[0] = b[0] + 1; a[1] = b[1] + 1; a[2] = b[2] + 1; a[3] = b[3] + 1;",
        [(0, 16)],
        [(0, 16)],
    ),
    "copy_loop": ("for (int i = 0; i < 100; ++i) written[i] = read[i];", [(0, 100)], [(0, 100)]),
    "zero_loop": ("AS(int); for (int i = 0; i < 100; ++i) a[i] = 0;", [], [(0, 400)]),
    "copy_small": ("AS(Small); *a = *b;", [(0, 12)], [(0, 12)]),
    "copy_odd": ("AS(Odd); *a = *b;", [(0, 3)], [(0, 3)]),
    "copy_large": ("AS(Large); *a = *b;", [(0, 400)], [(0, 400)]),
    "clear_large": ("AS(Large); *a = Large{};", [], [(0, 400)]),
    "copy_array": ("using T = std::array<int, 17>; AS(T); *a = *b;", [(0, 68)], [(0, 68)]),
    "memcpy_8": ("memcpy(written, read, 8);", [(0, 8)], [(0, 8)]),
    "memcpy_24": ("memcpy(written, read, 24);", [(0, 24)], [(0, 24)]),
    "memmove_40": ("memmove(written, read, 40);", [(0, 40)], [(0, 40)]),
    "memset_40": ("memset(written, 0, 40);", [], [(0, 40)]),
    "memcmp_32": ("*written = memcmp(read, read + 64, 32) != 0;", [(0, 32), (64, 96)], [(0, 1)]),
    "builtin_memcpy_3": ("__builtin_memcpy(written, read, 3);", [(0, 3)], [(0, 3)]),
    "builtin_memcpy_64": ("__builtin_memcpy(written, read, 64);", [(0, 64)], [(0, 64)]),
    "builtin_memset_40": ("__builtin_memset(written, 0, 40);", [], [(0, 40)]),
    "builtin_memcmp_32": ("*written = __builtin_memcmp(read, read + 64, 32) == 0;", [(0, 32), (64, 96)], [(0, 1)]),
    "std_copy": ("AS(int); std::copy(b, b + 10, a);", [(0, 40)], [(0, 40)]),
    "std_fill": ("std::fill(written, written + 40, (char)7);", [], [(0, 40)]),
    "std_equal": ("AS(int); *written = std::equal(b, b + 8, b + 16);", [(0, 32), (64, 96)], [(0, 1)]),
    "text": ("*(size_t*)written = std::string_view(read + 2000).size();", [(2000, 2048)], [(0, 8)]),
    "tile": (
        "AS(float); Tile<float, 4, 8> tile; load(tile, b, 16); store(a, tile, 12);",
        [(64 * row, 64 * row + 32) for row in range(4)],
        [(48 * row, 48 * row + 32) for row in range(4)],
    ),
}
FURTHER = """
FUNCTION(add_to_itself) { AS(int); *a += 1; }
FUNCTION(atomically) { auto* count = (std::atomic<uint32_t>*)written; count->fetch_add(1); count[1].store(2); }
FUNCTION(with_bits) { AS(Bits); a->second = b->third; }
"""
WIDE = """
typedef float Wide __attribute__((vector_size(32)));
FUNCTION(wide) { AS(Wide); *a = *b + 1; }
"""
SOURCE = HEADER + "".join(f"FUNCTION({name}) {{ {body} }}\n" for name, (body, _, _) in FUNCTIONS.items()) + FURTHER


def processor_has(feature: str) -> bool:
    try:
        return platform.machine() == "x86_64" and feature in Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False


def options(level: str, flag: str = "", feature: str = "") -> object:
    """The parameter with options; skipped on a processor that lacks what they need."""
    lacks = pytest.mark.skipif(bool(feature) and not processor_has(feature), reason=f"needs a processor with {feature}")
    return pytest.param((level, flag) if flag else (level,), id=level + flag, marks=lacks)


OPTIONS = [
    *map(options, ("-O0", "-Os", "-O2", "-O3")),
    *(options(level, "-mavx2", "avx2") for level in ("-O0", "-O2", "-O3")),
    options("-O3", "-mavx512f", "avx512f"),
    options("-O3", "-march=native", "avx2"),
]


@pytest.fixture
def build(
    cache: CompileCache, each_compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Accesses, list[tuple[str, str]]]]:
    """Compiles a source with flags; gives its accesses and gaps."""
    use_callbacks(tmp_path, monkeypatch)

    def built(text: str, *flags: str) -> tuple[Accesses, list[tuple[str, str]]]:
        (tmp_path / "kernel.cpp").write_text(text)
        binary, gaps = checked_kernel(tmp_path / "kernel.cpp", *flags)
        return Accesses(binary.data, tmp_path), gaps

    return built


@pytest.mark.parametrize("flags", OPTIONS)
def test_every_byte_is_seen(build, flags: tuple[str, ...]) -> None:
    accesses, gaps = build(SOURCE, *flags)
    assert not gaps
    found = {name: accesses.of(name) for name in FUNCTIONS}
    assert found == {name: (read, written) for name, (_, read, written) in FUNCTIONS.items()}


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
def test_a_read_before_a_write_of_the_same_bytes_is_seen(build, level: str) -> None:
    accesses, _ = build(SOURCE, level)
    assert accesses.of("add_to_itself")[1] == accesses.reads_of_written("add_to_itself") == [(0, 4)]


def test_atomic_operations_are_seen_as_such(build) -> None:
    accesses, _ = build(SOURCE)
    assert accesses.atomics("atomically") == [(0, 8)]
    assert accesses.atomics("add") == []


def test_bit_fields_are_seen(build) -> None:
    accesses, _ = build(SOURCE)
    read, written = accesses.of("with_bits")
    assert read in ([(0, 4)], [(1, 4)])
    assert written in ([(0, 4)], [(0, 2)])


@pytest.mark.parametrize("flags", [("-O3", "-std=c++20"), ("-O2", "-std=c++14", "-U__cpp_lib_string_view")])
def test_standards(build, flags: tuple[str, ...]) -> None:
    accesses, gaps = build(
        "#include <string.h>\n#include <algorithm>\n#include <string>\n"
        'extern "C" void f(char* a, char* b) { std::copy(b, b + 48, a); std::string("text").append("more"); }',
        *flags,
    )
    assert (accesses.of("f"), gaps) == (([(0, 48)], [(0, 48)]), [])


def test_constant_expressions_stay_constant(build) -> None:
    text = (
        HEADER
        + """
    static_assert(__builtin_strlen("abc") == 3 && __builtin_memcmp("abc", "abd", 3) < 0);
    static_assert(std::string_view("abc") == "abc");
    constexpr size_t length(const char* text) { return __builtin_strlen(text); }
    char room[length("abcd")];
    FUNCTION(f) { *written = sizeof room; }
    """
    )
    accesses, gaps = build(text)
    assert (accesses.of("f"), gaps) == (([], [(0, 1)]), [])


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_wide_vectors_are_seen_or_named(build, each_compiler: str, level: str) -> None:
    accesses, gaps = build(HEADER + WIDE, level)
    if each_compiler == "g++":
        assert (accesses.of("wide"), gaps) == (([(0, 32)], [(0, 32)]), [])
    else:
        line = (HEADER + WIDE).splitlines().index("FUNCTION(wide) { AS(Wide); *a = *b + 1; }") + 1
        assert {reason for reason, _ in gaps} == {
            f"a {what} of 32 bytes, which clang++ does not instrument" for what in ("load", "store")
        }
        assert {Path(place).name for _, place in gaps} == {f"kernel.cpp:{line}"}
