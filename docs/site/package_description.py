# SPDX-License-Identifier: Apache-2.0
"""The package's description on a package index, python/README.md, made from README.md (see HACKING.md).

A package index shows the text alone, so a link that is relative to the repository would lead nowhere. If [project.urls]
of pyproject.toml has the repository's address as `Source`, such links become absolute. Otherwise the text names the
file instead of linking to it, and the picture's description stands for the picture.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_LINK: Final = re.compile(r"(!?)\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]+)\)")


def page(readme: str, source: str | None, version: str) -> str:
    """The description.

    Args:
        readme: text of README.md.
        source: address of the repository, of a forge that has GitHub's paths; None if it has none.
        version: the package's version; links lead to the tag of that version.
    """

    def lead(link: re.Match[str]) -> str:
        picture, text, path = link.groups()
        if source is not None:
            return f"{picture}[{text}]({source}/{'raw' if picture else 'blob'}/v{version}/{path})"
        if picture:
            return text
        file = path.partition("#")[0]
        return f"`{file}`" if text == Path(file).stem else f"{text} (`{file}`)"

    return _LINK.sub(lead, re.sub(r"<!-- .*? -->\n", "", readme))


def current() -> str:
    """The description as README.md and pyproject.toml are now."""
    project = (ROOT / "pyproject.toml").read_text()
    source = re.search(r'^Source = "(.*?)/?"$', project, re.M)
    version = re.search(r'^version = "(.*?)"', project, re.M)
    assert version is not None
    return page((ROOT / "README.md").read_text(), source and source[1], version[1])


if __name__ == "__main__":
    print(current(), end="")
