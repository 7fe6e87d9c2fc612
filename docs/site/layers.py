# SPDX-License-Identifier: Apache-2.0
"""The layers of docs/internals/architecture.md: reads their order, finds what imports what, and draws the picture.

    python docs/site/layers.py > docs/images/layers.svg
    python docs/site/layers.py cpp > docs/images/layers-cpp.svg

tests/python/test_layers.py holds that the code keeps to the order, and that the pictures are up to date.
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "internals" / "architecture.md"
PACKAGE: Final = ROOT / "python" / "chiphost"
PYTHON: Final = "python/chiphost"  # the heading of its order
CPP: Final = "cpp and platform"

_WIDTH_MIN: Final = 360
_GAP: Final = 16  # between two boxes of a row
_EDGE: Final = 4
_ROW: Final = 46
_BOX: Final = 24
_TOP: Final = 30
_LETTER: Final = 6.4  # as wide as letters of the font are, about
_ASIDE: Final = 12  # where a line from far above arrives, so that it is not taken for one of a box that it passes
_STYLE: Final = """\
  <style>
    .picture {
      --ink: #1f2328; --paper: #ffffff; --faint: #59636e; --fill: #f3f4f6; --accent: #3257c9;
      font: 12.5px system-ui, sans-serif; background: var(--paper); }
    @media (prefers-color-scheme: dark) {
      .picture { --ink: #e6e8eb; --paper: #14171a; --faint: #a0a8b1; --fill: #23272d; --accent: #8ea9ff; } }
    .picture text { fill: var(--ink); }
    .picture .small { font-size: 11px; fill: var(--faint); }
    .picture .mid { text-anchor: middle; }
    .picture .box { fill: var(--fill); stroke: var(--ink); }
    .picture .own { fill: var(--fill); stroke: var(--accent); stroke-width: 1.5; }
    .picture .line { fill: none; stroke: var(--faint); }
    .picture .head { fill: var(--faint); stroke: none; }
  </style>"""

Imports = Mapping[str, set[str]]


def order(heading: str, page: Path = PAGE) -> list[list[str]]:
    """The layers below a heading of the fenced block that begins with "layers", from bottom to top.

    A line is a layer: names of folders, or of files in the outermost one, which do not use one another.
    """
    layers: list[list[str]] = []
    _, _, block = page.read_text().partition("```text\nlayers of ")
    inside = False
    for line in f"layers of {block.partition('```')[0]}".splitlines():
        if line.startswith("layers of "):
            inside = line.removeprefix("layers of ").partition(",")[0] == heading
        elif inside and line.strip():
            layers.append(line.split())
    return layers


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """The files of a package by the names of their modules below it, such as "scenes.run"; "" is the package itself."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(package: Path = PACKAGE) -> dict[str, set[str]]:
    """What each module imports of its own package, anywhere in the file: also in functions, and for types only.

    The compiled module `_core` is one, too. Raises ValueError for an import whose module is not there.
    """
    files = modules(package)
    known = {*files, "_core"}
    return {
        name: {each for each in _imported(name, file, known, package.name) if each != name}
        for name, file in files.items()
    }


def _imported(module: str, file: Path, known: set[str], package: str) -> Iterator[str]:
    inside = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            folders = [package, *filter(None, inside.split("."))]
            above = ".".join(folders[: len(folders) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [above, node.module]))
            paths = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for path in paths:
            if path.partition(".")[0] == package:
                yield _module(path.partition(".")[2], known, file)


def _module(path: str, known: set[str], file: Path) -> str:
    """The module that a dotted path names, or has the name of."""
    for name in (path, path.rpartition(".")[0]):
        if name in known:
            return name
    raise ValueError(f"{file} imports {path}, which is not there")


def includes(root: Path = ROOT) -> dict[str, set[str]]:
    """What each file of cpp/ and platform/ includes of these, by paths below the root of the repository.

    The files of cpp/compat are not asked what they include. Headers of the system and of nanobind stand in angle
    brackets and are none of the tree. Raises ValueError for a header in quotes that is not in the tree.
    """
    files = {
        file.relative_to(root).as_posix()
        for top in ("cpp", "platform")
        for file in (root / top).rglob("*")
        if file.suffix in (".h", ".hpp", ".cpp", ".def")
    }
    compat = {file for file in files if file.startswith("cpp/compat/")}
    names = {name: file for file in sorted(compat) for name in _tails(file)}
    return {name: set(_included(name, root / name, files - compat, names)) for name in sorted(files - compat)}


def _tails(path: str) -> Iterator[str]:
    """The names that a file has if its own folder, or any above it, is where #include looks."""
    parts = path.split("/")
    for begin in range(1, len(parts)):
        yield "/".join(parts[begin:])


def _included(name: str, file: Path, files: set[str], compat: Mapping[str, str]) -> Iterator[str]:
    folders = ["cpp", "cpp/include", "platform/include", "platform"]
    for sign, path in re.findall(r'^\s*#\s*include\s*([<"])([^">]+)[">]', file.read_text(), re.M):
        own = [str(Path(name).parent)] if sign == '"' else []
        places = [Path(folder, path).as_posix() for folder in (*own, *folders)]
        found = next((place for place in places if place in files), compat.get(path))
        if found:
            yield found
        elif sign == '"':
            raise ValueError(f"{file} includes {path}, which is not there")


def cpp_room(path: str) -> str:
    """The room of a file: its folder below cpp/, or that of platform/ with it, such as "loader" and "platform/sim"."""
    folders = Path(path).parts
    return "/".join(folders[:2]) if folders[0] == "platform" else folders[1]


def cpp_rooms(found: Imports) -> dict[str, set[str]]:
    """What the rooms of C++ include of each other."""
    folded: dict[str, set[str]] = {}
    for file, others in found.items():
        folded.setdefault(cpp_room(file), set()).update(map(cpp_room, others))
    return {room: others - {room} for room, others in folded.items()}


def rooms(found: Imports) -> dict[str, set[str]]:
    """What folders and outermost files import of each other; the package itself and its program are above all."""
    folded: dict[str, set[str]] = {}
    for module, others in found.items():
        if module not in ("", "__main__"):
            room = module.partition(".")[0]
            folded.setdefault(room, set()).update(other.partition(".")[0] for other in others)
    return {room: others - {room} for room, others in folded.items()}


def circles(found: Imports) -> list[list[str]]:
    """Modules that import each other in a circle: one circle for each module that begins one."""
    done: set[str] = set()
    circles: list[list[str]] = []

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            circles.append([*path[path.index(module) :], module])
        elif module not in done:
            for other in sorted(found.get(module, ())):
                visit(other, [*path, module])
            done.add(module)

    for module in sorted(found):
        visit(module, [])
    return circles


def draw(layers: Sequence[Sequence[str]], uses: Imports, of: str) -> str:
    """The picture of a package or a tree: a row for each layer, and a line for each use that others do not imply."""
    height = _TOP + _ROW * len(layers)
    widest = max(len(layer) * max(_width(name) + _GAP for name in layer) for layer in layers)
    width = max(_WIDTH_MIN, widest + 2 * _EDGE)
    places = {
        name: (_EDGE + (index + 0.5) * (width - 2 * _EDGE) / len(layer), height - _ROW * (row + 1))
        for row, layer in enumerate(layers)
        for index, name in enumerate(layer)
    }
    lines, boxes = [], []
    for name, (x, y) in places.items():
        for used in sorted(_without_indirect(name, uses), key=lambda each: places[each]):
            lines += _line((x, y), places[used], _width(name))
        kind = "box" if name.startswith("_") else "own"
        left, wide = x - _width(name) / 2, _width(name)
        boxes.append(f'  <rect class="{kind}" x="{left:g}" y="{y:g}" width="{wide:g}" height="{_BOX}" rx="5"/>')
        boxes.append(f'  <text class="mid" x="{x:g}" y="{y + 16:g}">{name}</text>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 {width:g} {height}">',
            f"  <title>The layers of {of} and what they use</title>",
            _STYLE,
            '  <text class="small" x="6" y="14">what is used lies below; grey: private</text>',
            *lines,
            *boxes,
            "</svg>",
            "",
        ]
    )


def _width(name: str) -> float:
    return round(len(name) * _LETTER + 14)


def _without_indirect(name: str, uses: Imports) -> set[str]:
    """What a room uses itself and not also through another that it uses."""
    own = uses.get(name, set())
    return own - set(itertools.chain.from_iterable(_reached(other, uses) for other in own))


def _reached(name: str, uses: Imports) -> set[str]:
    found: set[str] = set()
    waiting = list(uses.get(name, ()))
    while waiting:
        if (other := waiting.pop()) not in found:
            found.add(other)
            waiting += uses.get(other, ())
    return found


def _line(begin: tuple[float, float], end: tuple[float, float], wide: float) -> list[str]:
    """A line with its arrowhead: down to the next row, or out to the side and then down to one further below."""
    (x, y), (to_x, to_y) = begin, end
    if to_y - y == _ROW or to_x == x:
        y += _BOX
        middle = (y + to_y) / 2
        path = f"M{x:g} {y:g}C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"
    else:
        side = 1 if to_x > x else -1
        to_x += side * _ASIDE if to_y - y > 2 * _ROW else 0
        x, y = x + side * wide / 2, y + _BOX / 2
        path = f"M{x:g} {y:g}Q{to_x:g} {y:g} {to_x:g} {y + _ROW:g}V{to_y:g}"
    return [f'  <path class="line" d="{path}"/>', f'  <path class="head" d="M{to_x:g} {to_y:g}l-3 -6h6z"/>']


def python_picture() -> str:
    """The picture of the Python package."""
    return draw(order(PYTHON), rooms(imports()), "the Python package")


def cpp_picture() -> str:
    """The picture of cpp/ and platform/."""
    return draw(order(CPP), cpp_rooms(includes()), "cpp/ and platform/")


if __name__ == "__main__":
    picture = cpp_picture() if sys.argv[1:] == ["cpp"] else python_picture()
    print(picture, end="")
