# SPDX-License-Identifier: Apache-2.0
"""The reference of C++, C and CMake: pages get it from the comments of the headers (headers.py says which).

Two directives:

* `header` shows what a header's first comment says, and an entry for everything that is public in it. An entry has an
  anchor: the name, such as `#open_device`, or `#DeviceGraph.submit` for a member. Fields, enumerators and constants
  stand in tables.
* `cmake-functions` does the same for the functions of a CMake file.

Signatures are parsed by Sphinx's C++ domain, which complains about what is no C++ and makes links of the types. In
comments, the names of what the headers declare, error codes, requirements (PLAT-07), headers and pages become links.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import headers
import repository
import rows
from docutils import nodes
from docutils.statemachine import StringList
from headers import Comment, Entry
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.directives import ObjectDescription
from sphinx.domains.c import CMacroObject
from sphinx.domains.cpp import (
    CPPClassObject,
    CPPEnumObject,
    CPPFunctionObject,
    CPPMemberObject,
    CPPNamespaceObject,
    CPPTypeObject,
    CPPUnionObject,
)
from sphinx.domains.std import GenericObject
from sphinx.util.docutils import SphinxDirective

from chiphost._text import site

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("cpp/include/chiphost", "platform/include/chiphost/platform")
FILES: Final = ("cpp/host/runtime.h",)
CMAKE_FILES: Final = ("cpp/cmake/ChiphostPrograms.cmake", "cpp/cmake/ChiphostConformance.cmake")

_KEYWORDS: Final = r"\b(?:const|constexpr|static|struct|union|volatile)\b"
_TOKEN: Final = re.compile(
    r"(?P<literal>`[^`]+`)"
    r"|(?P<requirement>\bPLAT-\d+\b)"
    r"|(?P<file>(?<![\w/.])[\w-]+(?:/[\w.-]+)*\.(?:h|cpp|md|def|so|txt|json|cmake)\b)"
    r"|(?P<name>(?<![\w*])[*&]?[A-Za-z_]\w*(?:(?:::|->|\.)~?[A-Za-z_]\w*)*(?:\(\)|\*+(?!\w))?)"
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Take part in a build."""
    app.add_directive("header", HeaderDirective)
    app.add_directive("cmake-functions", CMakeDirective)
    app.add_object_type("cmakefunction", "cmakefunction", indextemplate="single: %s (CMake function)")
    app.connect("html-page-context", _shorten_navigation, priority=400)  # before the theme uses it
    return {"parallel_read_safe": True}


def _shorten_navigation(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Make the navigation of titles alone.

    It shows no more anyway. But to find them, Sphinx copies the contents of all pages for each page, every function of
    the reference among them: a third of the build.
    """
    whole = context["toctree"]

    def titles(**options: Any) -> str:
        depths = {page: data.get("tocdepth") for page, data in app.env.metadata.items()}
        for page in depths:
            app.env.metadata[page]["tocdepth"] = 1
        try:
            return str(whole(**options))
        finally:
            for page, depth in depths.items():
                app.env.metadata[page]["tocdepth"] = depth or 0

    context["toctree"] = titles


def paths() -> Iterator[str]:
    """The headers that the reference is made of, from the root of the repository."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.h")):
            yield str(path.relative_to(ROOT))
    yield from FILES


class HeaderDirective(SphinxDirective):
    """`{header} cpp/include/chiphost/kernel.h`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """All of a header."""
        path = self.arguments[0]
        self.env.note_dependency(str(ROOT / path))
        return _Writer(self, path).header()


class CMakeDirective(SphinxDirective):
    """`{cmake-functions} cpp/cmake/ChiphostPrograms.cmake`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """All functions that are for users."""
        path = self.arguments[0]
        self.env.note_dependency(str(ROOT / path))
        return _Writer(self, path).cmake()


class _Described(ObjectDescription[Any]):
    """An entry whose content is made here instead of being parsed; mixed into Sphinx's directives."""

    doc_field_types = CPPFunctionObject.doc_field_types
    content_nodes: Callable[[], list[nodes.Node]]

    def parse_content_to_nodes(self, allow_section_headings: bool = False) -> list[nodes.Node]:
        """The content. It is made now, as entries in it have to be in the scope of this one."""
        return self.content_nodes()


class _Class(_Described, CPPClassObject):
    pass


class _Enum(_Described, CPPEnumObject):
    pass


class _Function(_Described, CPPFunctionObject):
    pass


class _Macro(_Described, CMacroObject):
    pass


class _Member(_Described, CPPMemberObject):
    pass


class _Type(_Described, CPPTypeObject):
    pass


class _Union(_Described, CPPUnionObject):
    pass


class _CMakeFunction(_Described, GenericObject):
    pass


_DESCRIBED: Final = {
    "class": (_Class, "cpp:class"),
    "struct": (_Class, "cpp:struct"),
    "union": (_Union, "cpp:union"),
    "enum": (_Enum, "cpp:enum"),
    "enum-class": (_Enum, "cpp:enum-class"),
    "function": (_Function, "cpp:function"),
    "pointer": (_Member, "cpp:member"),
    "type": (_Type, "cpp:type"),
    "macro": (_Macro, "c:macro"),
}


class _Writer:
    """Makes the nodes of one header or CMake file, for a directive."""

    def __init__(self, directive: SphinxDirective, path: str) -> None:
        self._directive = directive
        self._path = path
        self._scope = ""
        self._parameters: list[str] = []

    def header(self) -> list[nodes.Node]:
        """What a header says and declares."""
        header = headers.read(ROOT / self._path)
        target = nodes.target("", "", ids=[self._anchor(f"header-{_slug(self._path)}")])
        self._label(_header_label(self._path), target["ids"][0], Path(self._path).name)
        source = nodes.literal(self._path, self._path)
        link = nodes.reference("", "", source, refuri=repository.SCHEME + self._path)
        result = [target, nodes.paragraph("", "Source: ", link, classes=["source"])]
        fields = [field for field in header.comment.fields if field[0] in headers.LABELS]
        result += self._comment(Comment(header.comment.text, fields))
        inherited = _inherited(header.comment, {})
        for scope, entries in itertools.groupby(header.entries, lambda entry: entry.scope):
            self._enter(scope)
            result += self._entries(list(entries), [], inherited)
        self._enter("")
        return result

    def cmake(self) -> list[nodes.Node]:
        """What the functions of a CMake file are for."""
        result: list[nodes.Node] = []
        for function in headers.read_cmake(ROOT / self._path):
            call = " ".join(map(str.strip, function.call))
            make = functools.partial(self._comment, function.comment)
            found = self._describe(_CMakeFunction, "std:cmakefunction", [call], make)
            self._name_signatures(found, [function.name], [], "")
            result += found
        return result

    def _enter(self, namespace: str) -> None:
        self._scope = namespace
        directive = self._directive
        CPPNamespaceObject(
            "cpp:namespace", [namespace or "NULL"], {}, StringList(), directive.lineno, directive.content_offset, "",
            directive.state, directive.state_machine,
        ).run()  # fmt: skip

    def _entries(self, entries: list[Entry], outer: list[str], inherited: dict[str, str]) -> list[nodes.Node]:
        result: list[nodes.Node] = []
        for in_table, group in itertools.groupby(entries, _in_table):
            if in_table:
                result.append(self._table(list(group), outer))
            else:
                for entry in group:
                    result += self._entry(entry, outer, inherited)
        return result

    def _entry(self, entry: Entry, outer: list[str], inherited: dict[str, str]) -> list[nodes.Node]:
        fields = [field for field in entry.comment.fields if field[0] in (*headers.LABELS, *entry.parameters)]
        if entry.is_function:
            said = {label for label, _ in fields}
            wanted = [*entry.parameters, *headers.INHERITED]
            fields += [(label, text) for label, text in inherited.items() if label in wanted and label not in said]
        comment = Comment(entry.comment.text, fields)

        def content() -> list[nodes.Node]:
            scope, parameters = self._scope, self._parameters
            name = _plain(entry.names[0])
            if not entry.is_function:
                self._scope = f"{scope}::{name}".removeprefix("::")
            self._parameters = entry.parameters
            result = self._comment(comment)
            self._parameters = parameters
            result += self._entries(entry.members, [*outer, name], _inherited(entry.comment, inherited))
            self._scope = scope
            return result

        made, kind = _DESCRIBED[entry.kind]
        if entry.kind == "pointer" and not outer:
            made, kind = _Type, "cpp:type"
        found = self._describe(made, kind, entry.declarations, content)
        self._name_signatures(found, entry.names, outer, self._scope)
        return found

    def _describe(
        self, made: type[_Described], kind: str, declarations: list[str], content: Callable[[], list[nodes.Node]]
    ) -> list[nodes.Node]:
        outer = self._directive
        directive = made(
            kind, ["\n".join(declarations)], {}, StringList(), outer.lineno, outer.content_offset, "",
            outer.state, outer.state_machine,
        )  # fmt: skip
        directive.content_nodes = content
        return directive.run()

    def _name_signatures(self, found: Iterable[nodes.Node], names: list[str], outer: list[str], scope: str) -> None:
        desc = next(node for node in found if isinstance(node, addnodes.desc))
        for name, signature in zip(names, desc.children, strict=False):
            anchor = self._anchor(".".join([*outer, _plain(name)]), of=signature["ids"])
            signature["ids"] = [
                anchor,
                *(each for each in signature["ids"] if each != anchor),
            ]  # readers copy the first
            self._label(f"{scope}::{_plain(name)}".removeprefix("::"), anchor, name)

    def _anchor(self, name: str, of: Collection[str] = ()) -> str:
        """An anchor that can be known without looking: the name, with a number if something else has it already."""
        ids = self._directive.state.document.ids
        name = re.sub(r"[^\w.~-]", "", name.replace("()", "-call").replace("[]", "-index").replace("+", "-plus"))
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        anchor = next(each for each in itertools.chain([name], numbered) if each in of or each not in ids)
        ids.setdefault(anchor, None)
        return anchor

    def _label(self, label: str, anchor: str, title: str) -> None:
        """Let links find an anchor: comments by the label, its own page by `#anchor`, other pages by both."""
        env = self._directive.env
        standard = env.domains.standard_domain
        standard.note_hyperlink_target(f"{env.docname}#{anchor}", env.docname, anchor, title)
        for name in (label.lower(), anchor.lower()):
            if name not in standard.anonlabels:
                standard.note_hyperlink_target(name, env.docname, anchor, title)

    def _table(self, entries: list[Entry], outer: list[str]) -> nodes.table:
        """Fields, enumerators or constants: what is declared, and what it means."""
        body = nodes.tbody()
        for entry in entries:
            self._rows(body, entry, outer, depth=0)
        group = nodes.tgroup("", nodes.colspec(colwidth=40), nodes.colspec(colwidth=60), body, cols=2)
        return nodes.table("", group, classes=["declared"])

    def _rows(self, body: nodes.tbody, entry: Entry, outer: list[str], depth: int) -> None:
        name = _plain(entry.names[0])
        declared = nodes.literal(classes=["declared", f"depth-{depth}"])
        row = nodes.row(
            "", nodes.entry("", nodes.paragraph("", "", declared)), nodes.entry("", *self._comment(entry.comment))
        )
        body += row
        if entry.kind in ("struct", "union"):
            declared += nodes.Text(f"{entry.kind}, one of these:" if entry.kind == "union" else "struct of these:")
            for member in entry.members:
                self._rows(body, member, [*outer, name] if entry.kind == "struct" else outer, depth + 1)
            return
        anchor = self._anchor(".".join([*outer, name]))
        row["ids"].append(anchor)
        self._label(
            "::".join([*self._scope.split("::")[: -len(outer) or None], *outer, name]).removeprefix("::"), anchor, name
        )
        before, after = re.split(rf"\b{name}\b", _declaration(entry), maxsplit=1)
        declared += self._types(before)
        declared += nodes.reference("", name, refid=anchor, internal=True)
        declared += self._types(after)

    def _types(self, text: str) -> list[nodes.Node]:
        """A part of a declaration, with links to what is declared elsewhere."""
        result: list[nodes.Node] = []
        for part in re.split(r"([A-Za-z_][\w:]*)", text):
            label = _resolve(part, self._scope) if part.strip() and not re.fullmatch(_KEYWORDS, part) else None
            result.append(self._link(label, nodes.inline(part, part)) if label else nodes.Text(part))
        return result

    def _comment(self, comment: Comment) -> list[nodes.Node]:
        result: list[nodes.Node] = []
        for code, lines in _blocks(comment.text):
            if code:
                text = "\n".join(line.removeprefix("    ") for line in lines)
                result.append(nodes.literal_block(text, text, language="cpp"))
            else:
                result.append(nodes.paragraph("", "", *self._inline(" ".join(lines))))
        if comment.fields:
            fields = nodes.field_list()
            for label, text in sorted(comment.fields, key=lambda field: self._order(field[0])):
                name = label if label in headers.LABELS else f"param {label}"
                said = nodes.field_body("", nodes.paragraph("", "", *self._inline(text)))
                fields += nodes.field("", nodes.field_name(name, name), said)
            result.append(fields)
        return result

    def _order(self, label: str) -> int:
        """Parameters as they are declared, then the labels."""
        order = [*self._parameters, *headers.LABELS]
        return order.index(label) if label in order else -1

    def _inline(self, text: str) -> list[nodes.Node]:
        result: list[nodes.Node] = []
        end = 0
        for found in _TOKEN.finditer(text):
            if node := self._token(found.lastgroup or "", found[0]):
                result += [nodes.Text(text[end : found.start()]), node]
                end = found.end()
        return [*result, nodes.Text(text[end:])]

    def _token(self, kind: str, text: str) -> nodes.Node | None:
        if kind == "requirement":
            return rows.link(self._directive.env.docname, site.anchor_of(text), nodes.inline(text, text))
        if kind == "file":
            return self._file(text)
        is_code = bool(set(text) & set("_*&")) or "::" in text or "->" in text or text.endswith("()")
        if kind == "name" and not is_code and text not in _type_names():
            return None  # a word
        shown = text.strip("`")
        literal = nodes.literal(shown, shown)
        if shown in self._parameters:
            return literal
        label = _resolve(shown.removesuffix("()").strip("*&").replace(".", "::").replace("->", "::"), self._scope)
        return self._link(label, literal) if label else literal

    def _file(self, text: str) -> nodes.Node:
        literal = nodes.literal(text, text)
        if text == "errors.def":
            return self._page("error-codes", literal)
        if text.startswith("docs/") and text.endswith(".md"):
            return self._page(text.removeprefix("docs/").removesuffix(".md"), literal)
        known = [path for path in paths() if path.endswith(f"/{text}")] if text.endswith(".h") else []
        here = [path for path in known if Path(path).parent == Path(self._path).parent]
        return self._link(_header_label((here or known)[0]), literal) if known else literal

    def _link(self, label: str, shown: nodes.Node) -> nodes.Node:
        return rows.link(self._directive.env.docname, label, shown)

    def _page(self, name: str, shown: nodes.Node) -> nodes.Node:
        return addnodes.pending_xref(
            "", shown, refdomain="std", reftype="doc", reftarget=f"/{name}", refexplicit=True, refwarn=True
        )


def _slug(path: str) -> str:
    return re.sub(r"\W", "-", path)


def _header_label(path: str) -> str:
    return f"header {path}"


def _plain(name: str) -> str:
    """A name without template arguments, and without the mark of what has none."""
    return name.partition("<")[0].removeprefix("@")


def _in_table(entry: Entry) -> bool:
    if entry.kind in ("struct", "union"):
        return entry.names[0].startswith("@")
    return entry.kind in ("member", "enumerator") or (entry.kind == "macro" and not entry.parameters)


def _declaration(entry: Entry) -> str:
    declared = entry.declarations[0]
    if declared.startswith("@"):
        return declared.partition(" ")[2]
    if entry.kind == "macro" and entry.value:
        return f"{declared} = {entry.value}"
    return re.sub(r" ?([*&]+) ", r"\1 ", declared)


def _inherited(comment: Comment, before: dict[str, str]) -> dict[str, str]:
    """What a comment says about all functions below it: the first sentence of each field."""
    return before | {label: re.split(r"(?<=[.]) (?=[A-Z])", text)[0] for label, text in comment.fields}


def _blocks(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """Paragraphs, and code: what is indented after an empty line."""
    block: list[str] = []
    code = False
    for line in [*lines, None]:
        indented = line is not None and (line.startswith("    ") or (code and not line))
        if line is None or (indented != code if not block or not block[-1] or code else not line):
            while block and not block[-1]:
                block.pop()
            if block:
                yield code, block
            block = []
            code = indented
        if line or code:
            block.append(line or "")


@functools.cache
def _names() -> dict[str, str]:
    """Labels by the full names of what the headers declare, and of error codes."""
    found: dict[str, str] = {}

    def add(entries: list[Entry], scope: str) -> None:
        for entry in entries:
            for name in entry.names:
                full = f"{scope}::{_plain(name)}".removeprefix("::")
                if entry.kind == "union" and name.startswith("@"):
                    full = scope
                elif not name.startswith("@"):
                    found.setdefault(full, full)
                add(entry.members, full)

    for path in paths():
        for entry in headers.read(ROOT / path).entries:
            add([entry], entry.scope)
    for path in CMAKE_FILES:
        found.update((function.name, function.name) for function in headers.read_cmake(ROOT / path))
    errors = (ROOT / "cpp/include/chiphost/abi/errors.def").read_text()
    for name in re.findall(r"^CH_ERROR\(\d+, (\w+)", errors, re.M):
        found[f"CH_{name}"] = site.anchor_of(name)
    return found


def _resolve(name: str, scope: str) -> str | None:
    """The label of what a name means in a scope; None for one that is not known, or of several."""
    names = _names()
    parts = scope.split("::")
    for count in range(len(parts), -1, -1):
        if label := names.get("::".join([*parts[:count], name]).removeprefix("::")):
            return label
    ends = [label for full, label in names.items() if full.endswith(f"::{name}")] if "::" in name or "_" in name else []
    return ends[0] if len(ends) == 1 else None


@functools.cache
def _type_names() -> set[str]:
    """Names of types that no word of a sentence is."""
    last = {name.rpartition("::")[2] for name in _names()}
    return {name for name in last if re.fullmatch(r"(?:[A-Z][a-z0-9]+){2,}", name)}
