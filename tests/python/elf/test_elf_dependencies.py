# SPDX-License-Identifier: Apache-2.0
"""The places where the libraries that a file needs are looked for: the same as the dynamic loader's."""

from __future__ import annotations

from pathlib import Path

import c_libraries
import pytest

from chiphost._elf.dependencies import Dependencies
from chiphost._elf.file import ElfFile

TOKENS = ("$LIB", "${ORIGIN}", "$PLATFORM", "$ORIGIN", "${LIB} $x$", "plain")


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("origin", ["$ORIGIN", "${ORIGIN}"])
def test_what_stands_for_a_token_is_taken_as_it_is(tmp_path: Path, token: str, origin: str) -> None:
    folder = tmp_path / token
    folder.mkdir()
    c_libraries.build('extern "C" int answer() { return 42; }', folder / "libneeded.so")
    options = (f"-L{folder}", "-Wl,--no-as-needed", "-lneeded", f"-Wl,-rpath,{origin}/nothing:{origin}")
    path = c_libraries.build('extern "C" int answer();\nint ask() { return answer(); }', folder / "user.so", *options)
    with ElfFile(path) as file:
        dependencies = Dependencies(file)
        [needed] = [each for each in dependencies.all if each.name == "libneeded.so"]
        assert needed.file is not None
        assert needed.file.path == folder / "libneeded.so"
        assert needed.from_origin


@pytest.mark.parametrize("token", ["$LIB", "${LIB}"])
def test_what_the_loader_puts_in_for_lib_is_known(tmp_path: Path, token: str) -> None:
    paths = {line.split(" ")[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    loaded = [path for path in paths if path.endswith("/libc.so.6")]
    if not loaded:
        pytest.skip("the C library has another name")
    folder = Path(loaded[0]).parent
    path = c_libraries.build(
        "int nothing;", tmp_path / "user.so", "-Wl,--no-as-needed", "-lc", f"-Wl,-rpath,/{token}:/usr/{token}"
    )
    with ElfFile(path) as file:
        dependencies = Dependencies(file)
        [libc] = [each for each in dependencies.all if each.name == "libc.so.6"]
    assert Path(libc.looked_in[-1]).resolve() == folder.resolve()
    assert len(libc.looked_in) <= 2  # by that path, and not in the folders of the system
