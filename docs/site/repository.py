# SPDX-License-Identifier: Apache-2.0
"""What the site does to text that is also read in the repository.

* A link to a file outside of docs/ leads to a page that shows the file. So the site needs no other server, and a link
  that leads nowhere is a warning.
* Pictures in docs/images of class "picture" become part of the page, and so take its colours, light or dark.
* Docstrings show code by indenting it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

ROOT: Final = Path(__file__).resolve().parents[2]
# Files outside of docs/ that a page includes.
PAGES: Final = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "internals/contributing",
    "HACKING.md": "internals/hacking",
    "README.md": "index",
    "SECURITY.md": "security",
    "tests/scenes/README.md": "guides/scenes",
}

SCHEME: Final = "https://repository.invalid/"  # of a link to a file, until it leads to the page of that
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)")
_FENCE: Final = re.compile(r"^( *)(```+|~~~+).*?^\1\2$", re.M | re.S)
_LANGUAGES: Final = {".cpp": "cpp", ".def": "c", ".h": "cpp", ".in": "cmake", ".md": "md", ".py": "py", ".txt": "cmake"}
_log: Final = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Take part in a build."""
    app.connect("source-read", _mark_links)
    app.connect("include-read", _mark_included_links)
    app.connect("doctree-resolved", _lead_links)
    app.connect("doctree-resolved", _draw_pictures)
    app.connect("html-collect-pages", _file_pages)
    app.connect("autodoc-process-docstring", _mark_code, priority=400)  # before napoleon
    return {"parallel_read_safe": True}


def _mark_links(app: Sphinx, docname: str, source: list[str]) -> None:
    folder = posixpath.dirname(f"docs/{docname}")
    source[0] = _marked(source[0], folder, folder, docname)


def _mark_included_links(app: Sphinx, included: Path, parent: str, source: list[str]) -> None:
    """Links of a file that a page includes are relative to that file, not to the page."""
    file = posixpath.normpath(f"docs/{included.as_posix()}")
    folder = posixpath.dirname(f"docs/{app.env.docname}")
    source[0] = _marked(source[0], posixpath.dirname(file), folder, app.env.docname)


def _marked(text: str, folder: str, page_folder: str, docname: str) -> str:
    """A text with links from `folder` as links from the page's folder; links out of docs/ get the scheme above."""

    def mark(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[1]))
        if path in PAGES:
            path = f"docs/{PAGES[path]}.md"
        if path.startswith("docs/"):
            return posixpath.relpath(path, page_folder)  # for Sphinx
        if not (ROOT / path).exists():
            _log.warning("%s is not in the repository", path, location=docname)
        return SCHEME + path

    return _outside_fences(text, lambda part: _LINK.sub(mark, part))


def _outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    """Change all of a text but its blocks of code."""
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])


def _lead_links(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for link in doctree.findall(nodes.reference):
        target = link.get("refuri", "")
        if target.startswith(SCHEME):
            path = target.removeprefix(SCHEME).partition("#")[0]
            _shown(app).add(path)
            link["refuri"] = app.builder.get_relative_uri(docname, f"source/{path}")
            link["internal"] = True


def _shown(app: Sphinx) -> set[str]:
    """Files and folders that pages link to. They are kept with what Sphinx knows of pages that did not change."""
    if not hasattr(app.env, "chiphost_shown"):
        app.env.chiphost_shown = set()
    shown: set[str] = app.env.chiphost_shown
    return shown


def _file_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file that is linked to, and for each file of a folder that is linked to."""
    files: set[str] = set()
    for path in _shown(app):
        if (ROOT / path).is_dir():
            entries = sorted(entry.name for entry in (ROOT / path).iterdir() if entry.is_file())
            here = f"source/{path}"
            items = [(name, app.builder.get_relative_uri(here, f"{here}/{name}")) for name in entries]
            body = "".join(f'<li><a href="{escape(uri)}"><code>{escape(name)}</code></a></li>' for name, uri in items)
            yield _page(path, f"<ul>{body}</ul>")
            files.update(f"{path}/{name}" for name in entries)
        elif (ROOT / path).is_file():
            files.add(path)
    for path in sorted(files):
        language = _LANGUAGES.get(Path(path).suffix, "none")
        yield _page(path, app.builder.highlighter.highlight_block((ROOT / path).read_text(), language, linenos=False))


def _page(path: str, body: str) -> tuple[str, dict[str, Any], str]:
    title = f"<code>{escape(path)}</code>"
    return f"source/{path}", {"title": path, "body": f"<h1>{title}</h1>{body}"}, "page.html"


def _draw_pictures(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for image in list(doctree.findall(nodes.image)):
        if not image["uri"].startswith("images/") or not image["uri"].endswith(".svg"):
            continue
        drawing = (ROOT / "docs" / image["uri"]).read_text()
        if drawing.startswith('<svg xmlns="http://www.w3.org/2000/svg" class="picture"'):
            label = f'<svg role="img" aria-label="{escape(image.get("alt", ""))}"'
            image.replace_self(nodes.raw("", drawing.replace("<svg", label, 1), format="html"))


def _mark_code(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Put "::" before what is indented below a paragraph, as reStructuredText wants it."""
    marked: list[str] = []
    inside = False
    for line in lines:
        indented = line.startswith("    ")
        after_paragraph = len(marked) > 1 and not marked[-1] and bool(marked[-2]) and not marked[-2].startswith(" ")
        if indented and not inside and after_paragraph:
            marked += ["::", ""]
            inside = True
        elif line and not indented:
            inside = False
        marked.append(line)
    lines[:] = marked
