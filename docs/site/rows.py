# SPDX-License-Identifier: Apache-2.0
"""Tables: rows that can be linked to, and what a narrow window does with them.

* On the pages in `PAGES`, each row of a table has an anchor, the name in one of its cells: `#plat-30`, `#load-refused`.
  The cell is a link to its own row.
* A table of text has a class "stacks". Where it has no room, its cells stand below each other, with the heads of the
  columns before them (site.css). Other tables scroll.
"""

from __future__ import annotations

import re
from typing import Any, Final

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode
from sphinx.writers.html5 import HTML5Translator

from chiphost._text import site

# Which column of the tables of a page has the name of the row.
PAGES: Final = {
    site.ERRORS: 1,
    site.REQUIREMENTS: 0,
    "reference/simpler-differences": 0,
    "settings": 0,
}
_TEXT_CHARACTERS_MIN: Final = 24  # on average, of a column that is text


class Translator(HTML5Translator):
    """Writes the label of a cell, for the style sheet."""

    def starttag(self, node: nodes.Element, tagname: str, *args: Any, **attributes: Any) -> str:
        """The tag, with an attribute more if it is a cell's."""
        if isinstance(node, nodes.entry) and "label" in node:
            attributes["data-label"] = node["label"]
        return str(super().starttag(node, tagname, *args, **attributes))


def setup(app: Sphinx) -> dict[str, Any]:
    """Take part in a build."""
    app.set_translator("html", Translator)
    app.connect("missing-reference", _resolve)
    app.connect("doctree-read", _anchor_rows)
    app.connect("doctree-resolved", _label_cells)
    return {"parallel_read_safe": True}


def link(docname: str, label: str, shown: nodes.Node) -> nodes.Node:
    """A link from a page to what has a label; a warning if nothing has. What is shown stays as it is."""
    return addnodes.pending_xref(
        "", shown, refdomain="", reftype="label", reftarget=label.lower(), refdoc=docname, refwarn=True
    )


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, shown: nodes.Element
) -> nodes.reference | None:
    label = env.domains.standard_domain.anonlabels.get(node["reftarget"]) if node["reftype"] == "label" else None
    return make_refnode(app.builder, node["refdoc"], *label, shown) if label else None


def _anchor_rows(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    if docname not in PAGES:
        return
    for body in doctree.findall(nodes.tbody):
        for row in body.findall(nodes.row):
            cell = row[PAGES[docname]]
            for name in re.split(r",\s*", cell.astext()):
                anchor = site.anchor_of(name)  # messages lead there
                if not anchor or anchor in doctree.ids:
                    continue
                doctree.ids[anchor] = row
                row["ids"].append(anchor)
                app.env.domains.standard_domain.note_hyperlink_target(anchor, docname, anchor, name)
            if row["ids"] and cell.children and not list(cell.findall(nodes.reference)):
                paragraph = cell[0]
                itself = nodes.reference("", "", *paragraph.children, refid=row["ids"][0], classes=["row-link"])
                paragraph.children = []
                paragraph += itself


def _label_cells(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for table in doctree.findall(nodes.table):
        heads = [entry.astext() for head in table.findall(nodes.thead) for entry in head.findall(nodes.entry)]
        all_rows = [list(row.findall(nodes.entry)) for body in table.findall(nodes.tbody) for row in body]
        if len(heads) < 3 or any(len(row) != len(heads) for row in all_rows):
            continue
        lengths = [sum(len(row[column].astext()) for row in all_rows) for column in range(len(heads))]
        if max(lengths) < _TEXT_CHARACTERS_MIN * len(all_rows):
            continue
        table["classes"].append("stacks")
        for row in all_rows:
            for label, entry in zip(heads, row, strict=True):
                entry["label"] = label
