# SPDX-License-Identifier: Apache-2.0
"""The order of layers in docs/internals/architecture.md is what the code keeps to."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_layers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("layers", ROOT / "docs" / "site" / "layers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


layers = load_layers()
IMPORTS = layers.imports()
LAYERS = layers.order(layers.PYTHON)
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}
INCLUDES = layers.includes()
CPP_LAYERS = layers.order(layers.CPP)
CPP_LEVELS = {name: level for level, names in enumerate(CPP_LAYERS) for name in names}
# Users include library.h alone: its last line includes function.h, whose templates hold a whole Library.
KNOWN_CIRCLE = {f"cpp/include/chiphost/isolate/{name}.h" for name in ("library", "function")}


def test_every_room_has_a_layer():
    assert sorted(LEVELS) == sorted(name for names in LAYERS for name in names), "a name stands there twice"
    assert {*layers.rooms(IMPORTS), "_core"} == {*LEVELS}


def test_imports_lead_down():
    wrong = [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        for other in others
        if module not in ("", "__main__") and not is_below(other, module)
    ]
    assert not wrong


def is_below(other: str, module: str) -> bool:
    """True if a module may import another: of the same folder, or of a layer below."""
    inner, outer = module.partition(".")[0], other.partition(".")[0]
    return inner == outer or LEVELS.get(outer, len(LAYERS)) < LEVELS[inner]


def test_no_modules_import_each_other_in_a_circle():
    assert layers.circles(IMPORTS) == []


def test_every_room_of_cpp_has_a_layer():
    assert sorted(CPP_LEVELS) == sorted(name for names in CPP_LAYERS for name in names), "a name stands there twice"
    assert {*layers.cpp_rooms(INCLUDES)} == {*CPP_LEVELS}


def test_includes_lead_down():
    wrong = [
        f"{file} includes {other}"
        for file, others in INCLUDES.items()
        for other in others
        if (inner := layers.cpp_room(file)) != (outer := layers.cpp_room(other))
        and CPP_LEVELS.get(outer, len(CPP_LAYERS)) >= CPP_LEVELS[inner]
    ]
    assert not wrong


def test_domains_and_children_do_not_include_each_other():
    """Both are ways of isolation; code that they share lies above them in cpp/isolate."""
    rooms = ("cpp/isolate/domain/", "cpp/isolate/child/")
    wrong = [
        f"{file} includes {other}"
        for file, others in INCLUDES.items()
        for other in others
        for room, another in (rooms, rooms[::-1])
        if file.startswith(room) and other.startswith(another)
    ]
    assert not wrong


def test_nothing_native_includes_a_header_for_simpler():
    """Those of cpp/compat have names that others may have too, and are found where simpler's sources are compiled."""
    assert not [f"{file} includes {other}" for file, others in INCLUDES.items() for other in others if is_compat(other)]
    texts = {file: (ROOT / file).read_text() for file in INCLUDES}
    assert texts and not [file for file, text in texts.items() if re.search(r'#\s*include\s*["<]pto/', text)]


def is_compat(file: str) -> bool:
    return file.startswith("cpp/compat/")


def test_no_headers_include_each_other_in_a_circle():
    headers = {file: {*filter(is_header, others)} for file, others in INCLUDES.items() if is_header(file)}
    assert [{*circle} for circle in layers.circles(headers)] == [KNOWN_CIRCLE]


def is_header(file: str) -> bool:
    return not file.endswith(".cpp")


def test_the_pictures_are_up_to_date():
    images = ROOT / "docs" / "images"
    assert (images / "layers.svg").read_text() == layers.python_picture(), layers.__doc__
    assert (images / "layers-cpp.svg").read_text() == layers.cpp_picture(), layers.__doc__


def test_imports_are_found_wherever_they_stand(tmp_path: Path):
    package = tmp_path / "house"
    write(package / "__init__.py", "from . import roof")
    write(package / "roof.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .rooms.bath import Tub\n")
    write(package / "rooms" / "__init__.py", "")
    write(package / "rooms" / "bath.py", "def fill():\n    from .. import roof\n    from . import pipes\n")
    write(package / "rooms" / "pipes.py", "import house.roof, os\nfrom house import _core\nfrom .bath import Tub\n")
    found = layers.imports(package)
    assert found == {
        "": {"roof"},
        "roof": {"rooms.bath"},
        "rooms": set(),
        "rooms.bath": {"roof", "rooms.pipes"},
        "rooms.pipes": {"roof", "_core", "rooms.bath"},
    }
    assert layers.rooms(found) == {"roof": {"rooms"}, "rooms": {"roof", "_core"}}
    assert layers.circles(found) == [
        ["roof", "rooms.bath", "roof"],
        ["roof", "rooms.bath", "rooms.pipes", "roof"],
        ["rooms.bath", "rooms.pipes", "rooms.bath"],
    ]
    write(package / "rooms" / "wall.py", "from ..cellar import door\n")
    with pytest.raises(ValueError, match=r"wall\.py imports cellar\.door, which is not there"):
        layers.imports(package)


def test_the_orders_of_several_trees_are_in_one_block(tmp_path: Path):
    page = write(
        tmp_path / "page.md",
        "# Page\n\n```text\nsomething else\n```\n\n```text\nlayers of one, from bottom to top\n  a\n  b  c\n\n"
        "layers of two, from bottom to top\n  d\n```\n\n  no layer\n",
    )
    assert layers.order("one", page) == [["a"], ["b", "c"]]
    assert layers.order("two", page) == [["d"]]


def test_includes_are_found_where_the_compiler_finds_them(tmp_path: Path):
    write(tmp_path / "cpp" / "roof" / "roof.h", '#include <vector>\n#include "beam.h"\n#include "rooms/bath/tub.h"\n')
    write(tmp_path / "cpp" / "roof" / "beam.h", "#include <chiphost/nail.h>\n")
    write(tmp_path / "cpp" / "rooms" / "bath" / "tub.h", "")
    write(tmp_path / "cpp" / "rooms" / "tap.h", "#pragma once\n")
    write(tmp_path / "cpp" / "include" / "chiphost" / "nail.h", "")
    write(tmp_path / "platform" / "sim" / "sim.cpp", '#  include "roof/roof.h"\n')
    stale = write(tmp_path / "platform" / "onboard" / "core.cpp", '#include "moved.h"\n')
    with pytest.raises(ValueError, match=r"core\.cpp includes moved\.h, which is not there"):
        layers.includes(tmp_path)
    stale.unlink()
    write(tmp_path / "cpp" / "rooms" / "bath" / "tub.h", '#include "../tap.h"\n')
    with pytest.raises(ValueError, match=r"tub\.h includes \.\./tap\.h, which is not there"):
        layers.includes(tmp_path)
    write(tmp_path / "cpp" / "rooms" / "bath" / "tub.h", '#include "rooms/tap.h"\n')
    found = layers.includes(tmp_path)
    assert found["cpp/roof/roof.h"] == {"cpp/roof/beam.h", "cpp/rooms/bath/tub.h"}
    assert layers.cpp_rooms(found) == {
        "roof": {"rooms", "include"},
        "rooms": set(),
        "include": set(),
        "platform/sim": {"roof"},
    }


@pytest.mark.parametrize(
    "line",
    ["<simpler/tensor.h>", "<tensor.h>", "<graph_api.h>", '"compat/graph/graph_api.h"', '"graph_api.h"'],
)
def test_headers_for_simpler_are_found_by_every_name(tmp_path: Path, line: str):
    write(tmp_path / "cpp" / "compat" / "simpler" / "tensor.h", '#include "what/compat/includes.h"\n')
    write(tmp_path / "cpp" / "compat" / "graph" / "graph_api.h", "")
    write(tmp_path / "cpp" / "abi" / "tensor.h", "")
    write(tmp_path / "cpp" / "abi" / "call.h", f'#include "tensor.h"\n#include {line}\n')
    (compat,) = layers.includes(tmp_path)["cpp/abi/call.h"] - {"cpp/abi/tensor.h"}
    assert compat.startswith("cpp/compat/")


@pytest.mark.parametrize("scene", sorted(ROOT.glob("tests/*/**/scene.py")), ids=lambda scene: scene.parent.name)
def test_scenes_take_their_names_from_chiphost(scene: Path):
    """The guide teaches this: then no module's place matters to them."""
    assert not re.findall(r"^(?:from|import) chiphost\.\S+", scene.read_text(), re.M)


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file
