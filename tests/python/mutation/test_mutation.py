# SPDX-License-Identifier: Apache-2.0
"""The list of planted defects is in order. tests/mutation/run.py measures if tests notice them."""

from __future__ import annotations

import fnmatch
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Collection
from types import ModuleType

import pytest
from checkout import ROOT

RUNNER = ROOT / "tests" / "mutation" / "run.py"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mutation_{name}", RUNNER.with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look here
    spec.loader.exec_module(module)
    return module


with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(RUNNER.parent))
    LIST, RUN = load("defects"), load("run")
CMAKE = (ROOT / "tests" / "cpp" / "CMakeLists.txt").read_text()


@pytest.mark.parametrize("defect", LIST.DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_can_be_planted(defect):
    """A change of the line changes the defect, too: it must then be planted where it is still a defect."""
    text = (ROOT / defect.file).read_text()
    assert text.count(defect.find) == 1, f"{defect.file}: wanted once, found {text.count(defect.find)} times"
    assert defect.planted(text) != text


@pytest.mark.parametrize("spec", sorted({spec for defect in LIST.DEFECTS for spec in defect.tests}))
def test_its_tests_exist(spec):
    if RUN.is_python(spec):
        name, *parts = spec.split("::")
        text = (ROOT / "tests" / "python" / name).read_text()
        for part in parts:
            assert re.search(rf"(def|class) {re.escape(part.partition('[')[0])}\b", text)
        return
    program, _, names = spec.partition(":")
    assert re.search(rf"chiphost_test\([\w/]+/{program}\b", CMAKE) or f"{program.rsplit('_', 2)[0]}_$" in CMAKE
    assert names


def test_every_defect_has_a_name_and_tests():
    assert [name for name, times in Counter(defect.name for defect in LIST.DEFECTS).items() if times > 1] == []
    assert all(re.fullmatch(r"[a-z0-9_]+: .+", defect.name) and defect.tests for defect in LIST.DEFECTS)
    assert sum(defect.required for defect in LIST.DEFECTS) >= 30


# Libraries that CMake builds for tests to load; a name with variables in it stands for any name.
LIBRARIES = [
    re.sub(r"\\?\$\\?\{\w+\\?\}", r"\\w+", re.escape(name))
    for pattern in (r"chiphost_test_library\((?!NAME)([^\s)]+)", r"set\(name ([^)]+)\)", r"add_library\((\w+) SHARED")
    for name in re.findall(pattern, CMAKE)
    if name != "${name}"
]
RUNTIMES = "|".join(path.name for path in (ROOT / "cpp" / "runtimes").iterdir() if path.is_dir())


def is_library(name: str) -> bool:
    return any(re.fullmatch(library, name) for library in LIBRARIES)


def missing(program: str, needed: Collection[str]) -> set[str]:
    """Libraries that the tests of defects name, and that are not among those that are needed."""
    specs = [spec.partition(":") for defect in LIST.DEFECTS for spec in defect.tests]
    filters = [each for name, _, names in specs if name == program for each in names.split(":")]
    helpers, *blocks = re.split(r"^(?=TEST)", RUN.test_file(program).read_text(), flags=re.MULTILINE)
    text = helpers
    for block in blocks:
        suite, name = re.match(r"TEST\w*\((\w+),\s*(\w+)\)", block).groups()
        body, _, more_helpers = block.partition("\n}\n")
        text += more_helpers
        if any(fnmatch.fnmatch(f"{suite}.{name}", each.rpartition("/")[2]) for each in filters):
            text += body
    loaded = {("fake_" if "fake" in maker else "") + library for maker, library in FIRST_WORD.findall(text)}
    return set(filter(is_library, loaded)) - set(needed)


FIRST_WORD = re.compile(r'(\w+)[({](?:[^"(){}]*,)?\s*"(\w+)"')  # in a call or a constructor
PROGRAMS = sorted(
    {spec.partition(":")[0] for defect in LIST.DEFECTS for spec in defect.tests if not RUN.is_python(spec)}
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_tests_need_is_built(program):
    assert missing(program, LIST.NEEDS.get(program, ())) == set()


def test_what_is_not_built_would_be_noticed():
    assert missing("private_copy_test", ()) == {"counter", "throws_when_loaded"}


def test_what_is_built_is_needed_and_there():
    assert set(LIST.NEEDS) <= set(PROGRAMS)
    for name in {name for names in LIST.NEEDS.values() for name in names}:
        assert is_library(name) or re.fullmatch(rf"a2a3sim_({RUNTIMES})_(host|aicpu|aicore)", name), name


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("cpp/noun.cpp", True),
        ("cpp/noun.h", True),
        ("cpp/include/chiphost/deep.h", True),  # noun.h includes it
        ("tests/cpp/room/noun_test.cpp", True),
        ("tests/cpp/support/helper.h", True),
        ("tests/cpp/CMakeLists.txt", True),
        ("tests/python/room/test_noun.py", True),
        ("tests/python/conftest.py", True),
        ("tests/python/room/conftest.py", True),
        ("tests/python/support/helper.py", True),
        ("tests/python/support/callables/graph.cpp", True),  # helper.py compiles it
        ("cpp/other.h", False),
        ("tests/python/room/test_other.py", False),
        ("tests/python/other_room/conftest.py", False),
    ],
)
def test_what_was_tried_is_tried_again_after_a_change(tmp_path, monkeypatch, file, counts):
    for name, text in {
        "cpp/noun.cpp": '#include "noun.h"\n',
        "cpp/noun.h": "#include <chiphost/deep.h>\n#include <vector>\n",
        "cpp/include/chiphost/deep.h": "",
        "cpp/other.h": "",
        "tests/cpp/room/noun_test.cpp": '  #include "helper.h"\n',
        "tests/cpp/support/helper.h": '#include "noun.h"\n',
        "tests/cpp/CMakeLists.txt": "",
        "tests/python/room/test_noun.py": "import os\nfrom helper import graph\n",
        "tests/python/room/test_other.py": "",
        "tests/python/other_room/conftest.py": "",
        "tests/python/conftest.py": "",
        "tests/python/room/conftest.py": "",
        "tests/python/support/helper.py": 'graph = FOLDER / "graph.cpp"\n',
        "tests/python/support/callables/graph.cpp": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(RUN, "ROOT", tmp_path)
    defect = LIST.Defect("noun: off", "cpp/noun.cpp", "a", "b", ("noun_test:*", "room/test_noun.py::test"))
    before = RUN.digest(defect)
    with (tmp_path / file).open("a") as changed:
        changed.write("\n")
    assert (RUN.digest(defect) != before) is counts


def test_the_runner_names_the_defects():
    listed = subprocess.run(
        [sys.executable, RUNNER, "--list", "-k", "run_memory"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert "run_memory: one past the end is allowed  (required)  cpp/host/run_memory.cpp\n" in listed
    assert "scheduler" not in listed


def exit_code(outcomes: list[str], required: bool = False) -> int:
    """The exit code that the runner gives for outcomes, without planting anything."""
    defects = [LIST.Defect(f"noun: {i}", "file", "a", "b", ("x:*",), required=required) for i in range(len(outcomes))]
    code: int = RUN.verdict(defects, {d.name: o for d, o in zip(defects, outcomes, strict=True)})
    return code


@pytest.mark.parametrize(
    ("outcomes", "required", "code"),
    [
        (["noticed"] * 10, True, 0),
        (["noticed"] * 9 + ["missed"], False, 0),
        (["noticed"] * 9 + ["missed"], True, 1),
        (["noticed"] * 9 + ["does not build"], True, 1),
        (["noticed"] * 8 + ["missed"] * 2, False, 1),
        (["noticed"] * 8 + ["missed", "does not apply"], False, 1),
        ([], False, 1),
    ],
)
def test_nine_of_ten_must_be_noticed(outcomes, required, code, capsys):
    assert exit_code(outcomes, required) == code
    assert f"Planted: {len(outcomes)}  Noticed: {outcomes.count('noticed')}" in capsys.readouterr().out
