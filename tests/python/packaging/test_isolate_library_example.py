# SPDX-License-Identifier: Apache-2.0
"""The example that isolates a library, in C++ and in Python, and the parts of the examples that the guides show."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from cmake_tools import cmake_dir, ninja, run

EXAMPLE = ROOT / "tests" / "examples" / "isolate_library"
OUTPUT = re.compile(
    r"total level 31375\n"
    r"[1-9]\d* in namespaces, the next is a copy\n"
    r"unloaded, namespace free again\n"
    r"an exception came out: an inflow is negative\n"
    r"40\n"
)
pytestmark = pytest.mark.timeout(1800)  # projects are built


@pytest.fixture(scope="module")
def build(cmake: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("isolate_library")
    run(cmake, "-S", EXAMPLE, "-B", folder, f"-Dchiphost_DIR={cmake_dir()}", "-DCMAKE_BUILD_TYPE=Release", *ninja())
    run(cmake, "--build", folder)
    return folder


def test_the_cpp_example_runs(build):
    assert OUTPUT.fullmatch(run(build / "fifty_tanks", build / "tank.so"))


def test_the_python_example_runs(build):
    assert OUTPUT.fullmatch(run(sys.executable, EXAMPLE / "fifty_tanks.py", build / "tank.so"))


def test_an_anchor_beside_the_program_is_preferred(build, tmp_path):
    program = shutil.copy(build / "fifty_tanks", tmp_path / "fifty_tanks")
    (tmp_path / "chiphost_anchor.so").write_text("no library")
    done = subprocess.run([program, build / "tank.so"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert f"NOT_ELF: {tmp_path}/chiphost_anchor.so" in done.stderr


def test_the_package_is_found_below_a_prefix(cmake, build, tmp_path):
    # The layout is that of `cmake --install --prefix`.
    shutil.copytree(
        cmake_dir().parent, tmp_path / "prefix" / "chiphost", ignore=shutil.ignore_patterns("*.py*", "scenes")
    )
    run(cmake, "-S", EXAMPLE, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}", *ninja())
    run(cmake, "--build", tmp_path / "build")
    assert OUTPUT.fullmatch(run(tmp_path / "build" / "fifty_tanks", build / "tank.so"))


@pytest.mark.parametrize(
    ("type_of_function", "words"),
    [
        ("void(void (*)(int))", "must not be called by an isolated library"),
        ("void(Pair)", "structures by value are not supported"),
        ("Pair()", "structures by value are not supported"),
        ("void(const int&)", "takes no references"),
        ("long double(int)", "long double is not supported"),
        ("int(const char*, ...)", "wanted a function type without ..."),
    ],
)
def test_what_cannot_be_passed_does_not_compile(type_of_function, words, tmp_path):
    from chiphost import toolchain
    from chiphost._compiling import host_toolchain

    source = tmp_path / "refused.cpp"
    source.write_text(
        "#include <chiphost/isolate/library.h>\nstruct Pair { int a, b; };\n"
        f'void use(chiphost::isolate::Library l) {{ l.function<{type_of_function}>("f"); }}\n'
    )
    compiler = host_toolchain.find_compiler()
    command = [*compiler.command, "-std=c++17", "-fsyntax-only", f"-I{toolchain.include_dir()}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert words in done.stderr


def marked(path: Path) -> dict[str, str]:
    """The text between two lines that have the same mark, such as `// [copies]`."""
    return {
        match[1]: match[2].strip("\n")
        for match in re.finditer(r"^(?://|#) \[(\w+)\]\n(.*?)^(?://|#) \[\1\]$", path.read_text(), re.M | re.S)
    }


SHOWN = {
    "isolate-a-library.md": ("isolate_library", ("CMakeLists.txt", "tank.cpp", "fifty_tanks.cpp", "fifty_tanks.py")),
    "isolate-simplers-runtimes.md": ("isolate_simpler", ("simpler_runtimes.py",)),
    "write-a-runtime.md": ("out_of_tree_runtime", ("CMakeLists.txt", "repeat.cpp", "run.py")),
}
SHOWN_FILES = [(guide, folder, name) for guide, (folder, names) in SHOWN.items() for name in names]
SHOWN_FILES += [
    ("port-a-platform.md", folder, "CMakeLists.txt") for folder in ("out_of_tree_platform", "begin_a_platform")
]


@pytest.mark.parametrize(("guide", "folder", "name"), SHOWN_FILES)
def test_the_guide_shows_what_runs(guide, folder, name):
    page = (ROOT / "docs" / "guides" / guide).read_text()
    snippets = marked(EXAMPLE.parent / folder / name)
    assert snippets
    for mark, text in snippets.items():
        assert f"\n{text}\n```" in page, f"{guide} has another text of [{mark}] of {name}"
