# SPDX-License-Identifier: Apache-2.0
"""The reference of C++, C and CMake, as docs/site makes it from the headers: all that is public, and nothing else."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT
from docs_site import needs_packages

from chiphost import call_config

pytestmark = [pytest.mark.timeout(900), needs_packages]


@pytest.fixture(scope="module")
def headers():
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    try:
        import headers

        yield headers
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def reference(headers):
    import reference

    return reference


@pytest.fixture(scope="module")
def pages(site) -> dict[str, str]:
    """Text of the page on which each header is."""
    found = {}
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        for path in re.findall(r"^```{(?:header|cmake-functions)} (.*)$", page.read_text(), re.M):
            found[path] = (site / "reference" / f"{page.stem}.html").read_text()
    return found


def anchors(page: str) -> set[str]:
    return set(re.findall(r'id="([^"]+)"', page))


def read(headers, tmp_path: Path, text: str):
    path = tmp_path / "some.h"
    path.write_text(text)
    return headers.read(path)


# --- a second reading of the headers, by braces alone, which the first one is compared with ---------------------------


def without_comments(text: str) -> str:
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.M)


def functions(text: str) -> Iterator[tuple[str, bool]]:
    """Names of functions, and of pointers to functions, and whether they are public; bodies are left out."""
    text = without_comments(text)
    blocks: list[str] = []  # what is open: "namespace", "class", "private" or "other"
    statement = ""
    for part in re.split(r"([{};]|\b(?:public|private|protected):(?!:))", text):
        if part == "{":
            if re.search(r"\bnamespace\b[^;()]*detail\s*$|\benum\b", statement):
                kind = "other"
            elif re.search(r'\bnamespace\b[^;()]*$|extern ""\s*$', statement):
                kind = "namespace"
            elif found := re.search(r"\b(class|struct|union)\b[^()]*(?:\([^()]*\)>)?\s*(?::[^()]*)?$", statement):
                kind = "private" if found[1] == "class" else "class"
            else:
                kind = "other"
                yield from named(statement, blocks)
            blocks.append(kind)
            statement = ""
        elif part == "}":
            if blocks:  # the end of extern "C", which a macro hides, has no beginning
                blocks.pop()
            statement = ""
        elif part == ";":
            yield from named(statement, blocks)
            statement = ""
        elif part.endswith(":"):
            blocks[-1] = "class" if part == "public:" else "private"
            statement = ""
        else:
            statement += part


def named(statement: str, blocks: list[str]) -> Iterator[tuple[str, bool]]:
    statement = re.sub(r"__attribute__\s*\(\(.*?\)\)\s|\[\[.*?\]\]|alignas\(\d+\)", " ", statement + " ", flags=re.S)
    statement = re.sub(r"^(?:\s*template\s*<.*>)\s*(?=[\w:~])", "", statement, flags=re.S)
    if "other" in blocks or "= delete" in statement or re.match(r"\s*(?:static_assert|friend|using)\b", statement):
        return
    pointer = re.match(r"[^=()]*\(\*(\w+)\)\s*\(", statement)
    function = re.match(r"[^=()]*?(operator\s*[^\s(]+|operator\(\)|~?\b\w+)\s*\(", statement)
    elsewhere = re.match(r"[^=()]*?\b\w+::\w+\s*\(", statement)
    if (found := pointer or function) and not elsewhere:
        yield re.sub(r"\s+", " ", found[1]), "private" not in blocks


def test_the_second_reading_finds_what_it_should():
    text = """
    namespace a { class C { int hidden(int); public: C(int x) : x_(f(x)) {} template <typename T> T get() const;
    explicit operator bool() const { return g(); } C(const C&) = delete; private: void also_hidden() {} };
    struct S { int (*call)(void* p); int field = f(); }; namespace detail { void inner(); }
    __attribute__((used)) static const char* const mark = &other; inline int f(int) { return h(); } }
    """
    found = set(functions(text))
    assert {name for name, public in found if public} == {"C", "get", "operator bool", "call", "f"}
    assert {name for name, public in found if not public} == {"hidden", "also_hidden"}


def test_every_public_function_has_an_entry(reference, pages):
    count = 0
    for path in reference.paths():
        public = {name for name, is_public in functions((ROOT / path).read_text()) if is_public}
        there = {re.sub(r"-\d+$", "", anchor).rpartition(".")[2] for anchor in anchors(pages[path])}
        for name in public:
            assert anchor_of(name) in there, f"{path}: {name}"
        count += len(public)
    assert count > 250


def anchor_of(name: str) -> str:
    return name.replace("()", "-call").replace("[]", "-index").replace("+", "-plus").replace(" ", "")


def test_no_private_member_is_shown(reference, pages):
    private = {
        name for path in reference.paths() for name, public in functions((ROOT / path).read_text()) if not public
    }
    public = {
        name for path in reference.paths() for name, is_public in functions((ROOT / path).read_text()) if is_public
    }
    assert {"require_made", "Library"} <= private
    types = {
        name
        for path in reference.paths()
        for name in re.findall(r"\b(?:class|struct)\s+(\w+)", (ROOT / path).read_text())
    }
    for path, page in pages.items():
        shown = {anchor.rpartition(".")[2] for anchor in anchors(page)}
        assert not shown & {anchor_of(name) for name in private - public - types}, path
        assert not anchors(page) & {f"{name}.{name}" for name in private - public}, path  # constructors
        assert not [name for name in shown if re.fullmatch(r"[a-z].*_", name)], path  # as private fields do
        assert "_detail::" not in page


def test_every_entry_is_on_its_page(reference, headers, pages):
    for path in reference.paths():
        there = anchors(pages[path])
        for entry in headers.read(ROOT / path).walk():
            for name in entry.names:
                anchor = anchor_of(name.partition("<")[0])
                shown = any(each == anchor or each.endswith(f".{anchor}") for each in there)
                assert shown or name.startswith("@"), f"{path}: {name}"


def test_every_function_says_its_parameters_errors_and_threads(reference, headers):
    def complain(entries, inherited, path):
        for entry in entries:
            said = inherited | {label for label, _ in entry.comment.fields}
            if entry.is_function:
                assert entry.comment.text, f"{path}:{entry.line}: {entry.names[0]} says nothing"
                words = " ".join(entry.comment.text + [text for _, text in entry.comment.fields])
                for wanted in ("Errors", "Threads", *entry.parameters):
                    assert wanted in said or re.search(rf"\b{wanted}\b", words), (
                        f"{path}:{entry.line}: {entry.names[0]} does not say {wanted}"
                    )
            complain(entry.members, said, path)

    for path in reference.paths():
        header = headers.read(ROOT / path)
        assert header.comment.text, path
        complain(header.entries, {label for label, _ in header.comment.fields}, path)


def test_every_type_field_and_constant_says_what_it_is(reference, headers):
    for path in reference.paths():
        for entry in headers.read(ROOT / path).walk():
            assert entry.comment.text or entry.kind == "union", f"{path}:{entry.line}: {entry.names[0]} says nothing"


def test_every_cmake_function_has_an_entry(reference, pages):
    there = set().union(*(anchors(pages[path]) for path in reference.CMAKE_FILES))
    config = (ROOT / "cpp/cmake/chiphostConfig.cmake.in").read_text()
    public = set(re.findall(r"\b(chiphost_add_\w+)\(\)", config))
    assert len(public) == 5
    assert public <= there
    page = pages[reference.CMAKE_FILES[0]]
    assert not re.search(r'id="chiphost_(?:place|make|split)_', page)  # helpers


def test_names_in_comments_are_links(pages):
    page = pages["platform/include/chiphost/platform/device.h"]
    for target in (
        "#close_device",
        "c-abi.html#ch_launch_status",
        "platform-requirements.html#plat-49",
        "../error-codes.html#platform-failed",
        "c-abi.html#header-cpp-include-chiphost-abi-anchor-h",
        "../source/platform/include/chiphost/platform/device.h.html",
    ):
        assert f'href="{target}"' in page, target


# --- what headers.py makes of a header --------------------------------------------------------------------------------


def test_a_comment_and_its_fields(headers, tmp_path):
    header = read(headers, tmp_path, """// SPDX
//
// What it is for.
//
// Threads: any.
#pragma once

// Does it.
//
// It does so for
// good.
//
// count: how many,
// at most two.
// Returns: what is left.
// Errors: none.
int do_it(int count);
""")  # fmt: skip
    assert header.comment.text == ["What it is for."]
    assert header.comment.fields == [("Threads", "any.")]
    (entry,) = header.entries
    assert (entry.kind, entry.names, entry.declarations) == ("function", ["do_it"], ["int do_it(int count)"])
    assert entry.comment.text == ["Does it.", "", "It does so for", "good."]
    assert entry.comment.fields == [
        ("count", "how many, at most two."),
        ("Returns", "what is left."),
        ("Errors", "none."),
    ]


def test_what_is_public(headers, tmp_path):
    header = read(headers, tmp_path, """// SPDX

namespace n {
namespace n_detail { void inner(); }
// A class.
class C {
    int first_;
public:
    C() = default;
    C(const C&) = delete;
    int get() const { return first_; }
protected:
    void mine();
private:
    void hidden();
};
class Known;
// Opaque.
class Shown;
}
""")  # fmt: skip
    assert [(entry.kind, entry.names, entry.scope) for entry in header.walk()] == [
        ("class", ["C"], "n"),
        ("function", ["C"], "n::C"),
        ("function", ["get"], "n::C"),
        ("class", ["Shown"], "n"),
    ]


def test_declarations_without_an_empty_line_share_a_comment(headers, tmp_path):
    header = read(headers, tmp_path, """// SPDX

// Both.
float one(float x);
float two(float x);

float three(float x);
// Four.
float four(float x);
""")  # fmt: skip
    assert [entry.names for entry in header.entries] == [["one", "two"], ["three"], ["four"]]
    assert [entry.comment.text for entry in header.entries] == [["Both."], [], ["Four."]]


def test_comments_behind_fields_and_enumerators(headers, tmp_path):
    header = read(headers, tmp_path, """// SPDX
#ifdef __cplusplus
extern "C" {
#endif
typedef struct s {
    int a, b;  // two
    // Above.
    int (*call)(void* self);
    union {
        int x;  // one of them
    };
} s;
enum e {
    e_1 = 1,  // first
    e_2,      // last
};
#define N 3  // three
#ifdef __cplusplus
}
#endif
""")  # fmt: skip
    assert [
        (entry.kind, entry.names[0], entry.comment.text) for entry in header.walk() if entry.names[0][0] != "@"
    ] == [
        ("struct", "s", []),
        ("member", "a", ["two"]),
        ("member", "b", ["two"]),
        ("pointer", "call", ["Above."]),
        ("member", "x", ["one of them"]),
        ("enum", "e", []),
        ("enumerator", "e_1", ["first"]),
        ("enumerator", "e_2", ["last"]),
        ("macro", "N", ["three"]),
    ]


def test_rows_of_a_table_are_fields(headers, tmp_path):
    (tmp_path / "rows.def").write_text(
        'ROW(uint32_t, first, flag, "1 (one)",\n    "the first "\n    "of two")\n'
        'ROW(uint64_t, second, number, "", "last")\n'
    )
    header = read(headers, tmp_path, """// SPDX

// The record.
typedef struct record {
    int32_t size;  // its own
#define ROW(type, name, ...) type name;
#include "rows.def"
} record;
""")  # fmt: skip
    assert [(entry.declarations[0], entry.comment.text) for entry in header.entries[0].members] == [
        ("int32_t size", ["its own"]),
        ("uint32_t first", ["the first of two"]),
        ("uint64_t second", ["last"]),
    ]


def test_the_configuration_of_a_run_is_shown_whole(pages):
    there = anchors(pages["cpp/include/chiphost/abi/host_runtime.h"])
    fields = [field.name for field in call_config.FIELDS.values() if field.name != "timeout_s"]
    assert len(fields) > 5
    assert {f"ch_call_config.{name}" for name in fields} <= there


def test_what_only_the_compiler_wants_to_know_is_left_out(headers, tmp_path):
    header = read(headers, tmp_path, """// SPDX

[[nodiscard]] int a();
__attribute__((visibility("default"), weak)) inline const char b = 1;
static inline __aicore__ void c(const __gm__ int* p) {}
template <typename T, typename = void>
class D { public: static constexpr int e = 1; };
""")  # fmt: skip
    assert [entry.declarations[0] for entry in header.walk()] == [
        "int a()",
        "const char b = 1",
        "void c(const int* p)",
        "template <typename T, typename = void> D",
        "static constexpr int e = 1",
    ]


def test_what_is_not_understood_is_an_error(headers, tmp_path):
    with pytest.raises(headers.Unreadable, match=r"some\.h:2"):
        read(headers, tmp_path, "// SPDX\nint f(int x;\n")


def test_a_cmake_function(headers, tmp_path):
    path = tmp_path / "some.cmake"
    path.write_text("""# do_it(NAME name
#       [SOURCES file...])
#
# Does it.
#
# NAME: of it.
# SOURCES: of it,
#   too.
function(do_it)
endfunction()

# A helper.
function(help_it name)
endfunction()
""")
    (function,) = headers.read_cmake(path)
    assert (function.name, function.call) == ("do_it", ["do_it(NAME name", "      [SOURCES file...])"])
    assert function.comment.text == ["Does it."]
    assert function.comment.fields == [("NAME", "of it."), ("SOURCES", "of it, too.")]
