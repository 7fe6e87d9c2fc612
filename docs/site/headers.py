# SPDX-License-Identifier: Apache-2.0
"""Reads C and C++ headers, and CMake files, for the reference: what is declared in public, and the comment above it.

The parser is tree-sitter's, which goes by the text alone: it needs no compiler, no include files and no macros. A place
that it cannot read raises `Unreadable`, so that nothing is left out in silence.

A comment is plain `//` lines above a declaration, or behind a field on its line. Declarations that follow each other
without an empty line, of which the first has the comment, share it. In a comment, a line that begins with a label and a
colon begins a field, which goes on to the next label or to the end of the paragraph:

    // Gives the memory back.
    //
    // address: what `allocate` returned.
    // Errors: none; what cannot be freed is lost.
    // Threads: the device's.

Labels are those in `LABELS`, and the names of parameters. What a class or the header says under one of `INHERITED`, or
about a parameter, holds for all its functions that say nothing else.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import tree_sitter_cpp
from tree_sitter import Language, Node, Parser

LABELS: Final = ("Returns", "Errors", "Ownership", "Threads")
INHERITED: Final = ("Errors", "Ownership", "Threads")

_FUNCTIONS: Final = ("function", "pointer")
_BLOCKS: Final = ("linkage_specification", "declaration_list", "preproc_if", "preproc_ifdef")
_CLASSES: Final = {"class_specifier": "class", "struct_specifier": "struct", "union_specifier": "union"}
_DECLARATIONS: Final = ("declaration", "field_declaration", "function_definition")
# Where it does not matter what the parser makes of it: bodies, and `= {}` of a parameter.
_NOT_SHOWN: Final = ("compound_statement", "field_initializer_list", "compound_literal_expression")
# Parts of a declaration that are said to the compiler, and nothing to who calls.
_FOR_THE_COMPILER: Final = ("attribute_declaration", "attribute_specifier", "alignas_qualifier")


class Unreadable(ValueError):
    """A header has a place that is not understood."""


@dataclass
class Comment:
    """What is said about something.

    Attributes:
        text: lines, without the slashes and without the fields.
        fields: pairs of a label and its text, in their order.
    """

    text: list[str] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Entry:
    """One declaration, or several that share a comment.

    Attributes:
        kind: "class", "struct", "union", "enum", "enum-class", "enumerator", "function", "pointer" (a field or a type
            that is a pointer to a function), "member" (a field or a variable), "type", or "macro".
        names: of each declaration.
        declarations: as they are to be shown, without bodies and without what only the compiler wants to know.
        scope: the namespace, such as "chiphost::isolate"; members have that of their class.
        line: of the first declaration in the file.
        parameters: names of function and template parameters.
        value: of a macro, if it is the same everywhere.
        members: what is public in a class, or the enumerators.
    """

    kind: str
    names: list[str]
    declarations: list[str]
    scope: str
    line: int
    comment: Comment = field(default_factory=Comment)
    parameters: list[str] = field(default_factory=list)
    value: str = ""
    members: list[Entry] = field(default_factory=list)

    @property
    def is_function(self) -> bool:
        """Whether it can be called."""
        return self.kind in _FUNCTIONS

    def walk(self) -> Iterator[Entry]:
        """Itself and all that is in it, in the order of the file."""
        yield self
        for member in self.members:
            yield from member.walk()


@dataclass
class Header:
    """A header: what its first comment says, and what it declares."""

    path: Path
    comment: Comment
    entries: list[Entry]

    def walk(self) -> Iterator[Entry]:
        """All entries, in the order of the file."""
        for entry in self.entries:
            yield from entry.walk()


@functools.cache
def read(path: Path) -> Header:
    """Read a header."""
    source = _without_idioms(_with_rows(path)).encode()
    root = Parser(Language(tree_sitter_cpp.language())).parse(source).root_node
    for bad in _errors(root):
        raise Unreadable(f"{path}:{bad.start_point.row + 1}: {_text(bad)[:80]!r} is not understood")
    reader = _Reader()
    entries = reader.block(root.children, "", public=True)
    parameters = [name for entry in entries for name in _parameters_in(entry)]
    return Header(path, comment_of(_first_comment(path.read_text()), parameters), entries)


def comment_of(lines: Sequence[str], parameters: Sequence[str]) -> Comment:
    """A comment from its lines, without what marks them as comment."""
    label = re.compile(rf"({'|'.join([*map(re.escape, parameters), *LABELS])}): (.*)")
    comment = Comment()
    inside = False
    for line in lines:
        if found := label.fullmatch(line):
            comment.fields.append((found[1], found[2]))
            inside = True
        elif inside and line.strip():
            name, text = comment.fields[-1]
            comment.fields[-1] = (name, f"{text} {line.strip()}")
        else:
            inside = False
            comment.text.append(line)
    while comment.text and not comment.text[-1]:
        comment.text.pop()
    while comment.text and not comment.text[0]:
        comment.text.pop(0)
    return comment


@dataclass
class Function:
    """A function of CMake: its call as it is written, its name, and the comment."""

    name: str
    call: list[str]
    comment: Comment
    line: int


def read_cmake(path: Path) -> list[Function]:
    """The functions of a CMake file whose comment begins with how they are called."""
    functions = []
    pattern = re.compile(r"((?:^#.*\n)+)function\((\w+)", re.M)
    text = path.read_text()
    for found in pattern.finditer(text):
        lines = [line.removeprefix("#").removeprefix(" ") for line in found[1].splitlines()]
        while not lines[0]:
            lines.pop(0)
        if not lines[0].startswith(f"{found[2]}("):
            continue  # not for users
        end = lines.index("") if "" in lines else len(lines)
        call = lines[:end]
        comment = comment_of(lines[end:], re.findall(r"\b[A-Z_]{2,}\b", " ".join(call)))
        functions.append(Function(found[2], call, comment, text.count("\n", 0, found.start()) + 1))
    return functions


# Fields that a table of rows makes: CH_ROW(type, name, kind, ..., "meaning").
_ROWS: Final = re.compile(r'^#define (\w+)\(type, name, \.\.\.\) type name;\n#include "(\w+\.def)"$', re.M)


def _with_rows(path: Path) -> str:
    """The source of a header, with a field for each row of a table that it includes for its fields."""

    def fields(found: re.Match[str]) -> str:
        table = (path.parent / found[2]).read_text()
        rows = re.findall(rf"^{found[1]}\(((?:[^()\"]|\"[^\"]*\")*)\)$", table, re.M)
        if len(rows) != len(re.findall(rf"^{found[1]}\(", table, re.M)):
            raise Unreadable(f"{path.parent / found[2]}: a row of {found[1]} is not understood")
        return "\n".join(map(_field, rows))

    return _ROWS.sub(fields, path.read_text())


def _field(row: str) -> str:
    """A declaration of a row, with the last of its texts as the comment."""
    kind, name = (part.strip() for part in row.split(",")[:2])
    meaning = re.search(r'(?:"[^"]*"\s*)+$', row)
    assert meaning is not None, row
    text = "".join(re.findall(r'"([^"]*)"', meaning[0]))
    return f"{kind} {name};  // {text}"


def _without_idioms(source: str) -> str:
    """The source with spaces where the preprocessor makes C++ of what no parser can know to be one."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    source = re.sub(r'(?<=^#ifdef __cplusplus\n)(extern "C" \{|\})$', blank, source, flags=re.M)
    source = re.sub(r"(?<!#define )\b__(?:gm|aicore)__ ?(?=[^\n])", blank, source)

    def blank_lists(found: re.Match[str]) -> str:
        # Enumerators that macros make: the comment says where they are listed.
        lines = r"^#(?:.*\\\n)*.*$|^ *[A-Z_]+\([A-Z_]+\)$"
        return re.sub(lines, blank, found[0], flags=re.M)

    return re.sub(r"^typedef enum \w+ \{.*?^\}", blank_lists, source, flags=re.M | re.S)


def _errors(node: Node) -> Iterator[Node]:
    if node.is_error or node.is_missing:
        yield node
    elif node.has_error and node.type not in _NOT_SHOWN:
        for child in node.children:
            yield from _errors(child)


def _first_comment(source: str) -> list[str]:
    lines = []
    for line in source.splitlines()[1:]:  # after the licence
        if not line.startswith("//"):
            break
        lines.append(_without_slashes(line))
    return lines


def _without_slashes(line: str) -> str:
    return line.removeprefix("//").removeprefix(" ").rstrip()


def _text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


class _Reader:
    """Goes through the blocks of one header."""

    def block(self, nodes: Sequence[Node], scope: str, *, public: bool) -> list[Entry]:
        """The public entries of a namespace or a class."""
        entries: list[Entry] = []
        above: list[Node] = []  # comments that wait for their declaration
        last: list[Entry] = []  # of the declaration before, also if it was not public
        last_row = -2
        for node, following in zip(nodes, [*nodes[1:], None], strict=True):
            if node.type == "comment":
                if node.start_point.row == last_row:
                    self._behind(last, node)
                    last = []
                elif above and above[-1].end_point.row + 1 != node.start_point.row:
                    above = [node]
                else:
                    above.append(node)
                continue
            if node.type == "access_specifier":
                public = _text(node) == "public"
            if not node.is_named or node.type in ("access_specifier", "preproc_include", "static_assert_declaration"):
                continue
            if above and above[-1].end_point.row + 1 != node.start_point.row:
                above = []
            lines = [_without_slashes(_text(comment)) for comment in above]
            found = self._entries(node, scope, lines)
            alone = lines or node.start_point.row != last_row + 1 or _is_behind(following, node)
            if public and not alone and _share(last, found):
                last[0].names += found[0].names
                last[0].declarations += found[0].declarations
                last[0].parameters += found[0].parameters
            else:
                entries += [entry for entry in found if public and not _is_known(entry, entries)]
                last = found if public else []
            if node.type == "namespace_definition" or node.type in _BLOCKS:
                last = []  # what stands behind its end is no comment of what is in it
            last_row, above = _last_row(node), []
        return entries

    def _behind(self, entries: list[Entry], comment: Node) -> None:
        for entry in entries:
            if entry.comment.text:
                entry.comment.text.append("")
            entry.comment.text.append(_without_slashes(_text(comment)))

    def _entries(self, node: Node, scope: str, lines: list[str]) -> list[Entry]:
        """What a node declares, with its comment; all of a namespace."""
        if node.type == "namespace_definition":
            name = _text(node.child_by_field_name("name"))
            if name.endswith("detail"):
                return []
            body = node.child_by_field_name("body")
            return self.block(body.children, f"{scope}::{name}" if scope else name, public=True)
        if node.type in _BLOCKS:
            inner = node.children
            if node.type == "linkage_specification":
                inner = node.child_by_field_name("body").children
            found = self.block(inner, scope, public=True)
            if node.type.startswith("preproc"):
                for entry in found:
                    entry.value = ""  # depends
            return found
        entries = self._declared(node, scope)
        for entry in entries:
            written = comment_of(lines, _parameters_in(entry))
            entry.comment = Comment(written.text + entry.comment.text, written.fields)
        return [entry for entry in entries if entry.comment.text or not _is_only_a_name(entry)]

    def _declared(self, node: Node, scope: str, template: Node | None = None) -> list[Entry]:
        if node.type == "template_declaration":
            return self._declared(node.named_children[-1], scope, node)
        if node.type in _CLASSES:
            return self._class(node, scope, template)
        if node.type == "enum_specifier":
            return self._enum(node, scope)
        if node.type == "enumerator":
            name = _text(node.child_by_field_name("name"))
            return [Entry("enumerator", [name], [_one_line(_text(node))], scope, _row(node))]
        if node.type in ("preproc_def", "preproc_function_def"):
            return self._macro(node)
        if node.type == "alias_declaration":
            return self._alias(node, scope)
        if node.type == "type_definition":
            return self._typedef(node, scope)
        if node.type in _DECLARATIONS:
            return self._declaration(node, scope, template)
        return []

    def _class(self, node: Node, scope: str, template: Node | None = None) -> list[Entry]:
        name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name_node is None:
            return []
        name = _text(name_node)
        head = [_text(template.child_by_field_name("parameters"))] if template else []
        if template:
            head[0] = f"template {head[0]}"
        head.append(name)
        head += [_text(child) for child in node.children if child.type == "base_class_clause"]
        kind = _CLASSES[node.type]
        entry = Entry(kind, [name], [_one_line(" ".join(head))], scope, _row(node))
        entry.parameters = _template_parameters(template)
        if body:
            entry.members = self.block(body.children, f"{scope}::{name}" if scope else name, public=kind != "class")
        return [entry]

    def _enum(self, node: Node, scope: str) -> list[Entry]:
        name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name_node is None or body is None:
            return []
        name = _text(name_node)
        base = node.child_by_field_name("base")
        declaration = f"{name} : {_text(base)}" if base else name
        kind = "enum-class" if any(child.type == "class" for child in node.children) else "enum"
        entry = Entry(kind, [name], [declaration], scope, _row(node))
        inner = f"{scope}::{name}" if scope else name
        entry.members = self.block(body.children, inner, public=True)
        return [entry]

    def _macro(self, node: Node) -> list[Entry]:
        name = _text(node.child_by_field_name("name"))
        parameters = node.child_by_field_name("parameters")
        names = [_text(child) for child in parameters.named_children] if parameters else []
        declaration = f"{name}({', '.join(names)})" if parameters else name
        entry = Entry("macro", [name], [declaration], "", _row(node), parameters=names)
        value_node = node.child_by_field_name("value")
        value, _, behind = (_text(value_node) if value_node else "").partition("//")
        if behind:
            entry.comment.text.append(behind.strip())
        if not parameters and "\n" not in value:
            entry.value = value.strip()
        return [entry]

    def _alias(self, node: Node, scope: str) -> list[Entry]:
        name = _text(node.child_by_field_name("name"))
        target = _one_line(_text(node.child_by_field_name("type")))
        declaration = name if "detail::" in target else f"{name} = {target}"
        return [Entry("type", [name], [declaration], scope, _row(node))]

    def _typedef(self, node: Node, scope: str) -> list[Entry]:
        kind = node.child_by_field_name("type")
        if kind.type in _CLASSES:
            return self._class(kind, scope)
        if kind.type == "enum_specifier":
            return self._enum(kind, scope)
        declarator = node.child_by_field_name("declarator")
        declaration = _one_line(_text(node).removeprefix("typedef").removesuffix(";"))
        entry = Entry("type", [_name(declarator)], [declaration], scope, _row(node))
        if _is_pointer(declarator):
            entry.kind = "pointer"
            entry.parameters = _parameters(declarator)
        return [entry]

    def _declaration(self, node: Node, scope: str, template: Node | None) -> list[Entry]:
        type_node = node.child_by_field_name("type")
        nested = type_node is not None and type_node.type in _CLASSES and type_node.child_by_field_name("body")
        declarators = node.children_by_field_name("declarator")
        if nested and type_node.child_by_field_name("name"):
            entries = self._class(type_node, scope)
            if not declarators:
                return entries
        if nested:
            return self._unnamed(node, scope, declarators)
        entries = []
        for declarator in declarators:
            name = _name(declarator)
            deleted = any(_text(child).startswith("= delete") for child in node.children)
            if "::" in name or node.children[0].type == "friend" or deleted:
                continue
            entry = Entry(
                "member", [name], [_declared_text(node, declarator, declarators, template)], scope, _row(node)
            )
            entry.parameters = _parameters(declarator) + _template_parameters(template)
            if _is_pointer(declarator):
                entry.kind = "pointer"
            elif _function_declarator(declarator):
                entry.kind = "function"
            entries.append(entry)
        return entries

    def _unnamed(self, node: Node, scope: str, declarators: list[Node]) -> list[Entry]:
        """A structure or union that has no name, and the fields that are of it."""
        type_node = node.child_by_field_name("type")
        kind = _CLASSES[type_node.type]
        name = f"@{_name(declarators[0])}" if declarators else f"@{kind}_{_row(node)}"
        entry = Entry(kind, [name], [name], scope, _row(node))
        inner = f"{scope}::{name}" if scope else name
        entry.members = self.block(type_node.child_by_field_name("body").children, inner, public=True)
        fields = [
            Entry("member", [_name(each)], [f"{name} {_one_line(_text(each))}"], scope, _row(node))
            for each in declarators
        ]
        return [entry, *fields]


def _is_behind(comment: Node | None, node: Node) -> bool:
    return comment is not None and comment.type == "comment" and comment.start_point.row == node.end_point.row


def _parameters_in(entry: Entry) -> list[str]:
    """Names of the parameters of an entry and all that is in it."""
    return [name for each in entry.walk() for name in each.parameters]


def _share(before: list[Entry], found: list[Entry]) -> bool:
    """Whether what is found has the comment of the declaration before."""
    if len(before) != 1 or len(found) != 1:
        return False
    return before[0].kind == found[0].kind and found[0].is_function and bool(before[0].comment.text)


def _is_only_a_name(entry: Entry) -> bool:
    """A class without anything in it is declared for other declarations, unless a comment says what it is."""
    return entry.kind in ("class", "struct") and not entry.members


def _is_known(entry: Entry, entries: list[Entry]) -> bool:
    """A variable that is declared and then defined."""
    return entry.kind == "member" and any(entry.names == other.names for other in entries)


def _row(node: Node) -> int:
    return node.start_point.row + 1


def _last_row(node: Node) -> int:
    row: int = node.end_point.row
    # A line of the preprocessor ends at the beginning of the next.
    return row - 1 if node.type.startswith("preproc") and node.end_point.column == 0 else row


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _inner(declarator: Node) -> Node | None:
    """The declarator in a declarator."""
    found = declarator.child_by_field_name("declarator")
    if found is None and declarator.type in ("parenthesized_declarator", "reference_declarator", "variadic_declarator"):
        found = declarator.named_children[-1]
    return found


def _name(declarator: Node) -> str:
    if declarator.type == "operator_cast":
        return f"operator {_text(declarator.child_by_field_name('type'))}"
    inner = _inner(declarator)
    return _name(inner) if inner else _one_line(_text(declarator))


def _function_declarator(declarator: Node | None) -> Node | None:
    while declarator is not None:
        if declarator.type in ("function_declarator", "operator_cast"):
            return declarator
        declarator = _inner(declarator)
    return None


def _is_pointer(declarator: Node) -> bool:
    function = _function_declarator(declarator)
    inner = _inner(function) if function and function.type == "function_declarator" else None
    return inner is not None and inner.type == "parenthesized_declarator"


def _parameters(declarator: Node) -> list[str]:
    function = _function_declarator(declarator)
    if function is None:
        return []
    if function.type == "operator_cast":
        return []
    parameters = function.child_by_field_name("parameters").named_children
    declarators = [each.child_by_field_name("declarator") for each in parameters]
    names = [_name(each) for each in declarators if each is not None]
    return [name for name in names if name.isidentifier()]


def _template_parameters(template: Node | None) -> list[str]:
    if template is None:
        return []
    parameters = template.child_by_field_name("parameters").named_children
    names = [each.child_by_field_name("name") or each.named_children[0] for each in parameters]
    return [_text(name) for name in names if name.type == "type_identifier"]


def _declared_text(node: Node, declarator: Node, declarators: list[Node], template: Node | None) -> str:
    """A declaration without its body, its other declarators, and what is for the compiler only."""
    body = node.child_by_field_name("body")
    # In a class, static says that there is no object; elsewhere it only says who may see it.
    in_class = (template or node).parent.type == "field_declaration_list"
    parts = [f"template {_text(template.child_by_field_name('parameters'))}"] if template else []
    for child in node.children:
        if child == body or child.type in ("field_initializer_list", "default_method_clause", ";", "comment"):
            break
        if child.type == "," or (child in declarators and child != declarator) or _is_for_the_compiler(child):
            continue
        if not in_class and _text(child) == "static":
            continue
        parts.append(_text(child))
    return _one_line(" ".join(parts))


def _is_for_the_compiler(node: Node) -> bool:
    if node.type == "type_qualifier" and node.named_children:
        return node.named_children[0].type in _FOR_THE_COMPILER
    return node.type in _FOR_THE_COMPILER or _text(node) in ("inline", "extern")
