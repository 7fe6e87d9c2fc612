# SPDX-License-Identifier: Apache-2.0
"""A header that appears where a compile would find it earlier: the cache's program is out of date then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cached_compiles import COMPILERS, build, build_fresh, set_back, write_source

from chiphost._compiling import headers

pytestmark = pytest.mark.usefixtures("cache")


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
