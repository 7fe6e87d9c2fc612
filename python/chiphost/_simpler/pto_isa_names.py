# SPDX-License-Identifier: Apache-2.0
"""Names of PTO-ISA that a kernel wants and the headers in use lack, because they are of another commit.

Nothing is guessed: the compiler must have complained about the name, no header that it may read has it, and either the
checkout says that the wanted commit has it, or the kernel's source says that it belongs to PTO-ISA.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .._text.printable import shell_join

# A commit of hw-native-sys/pto-isa, 2026-03-31. All scenes of simpler at 30fdeca8 compile with it.
WANTED_COMMIT: Final = "882c4db95570dfeaf04e0ee2c0ab32477ed372fc"

_SHORT: Final = 8  # digits of a commit, for messages
# A compiler's message about a place in a file, in any language, and the names that it quotes.
_COMPLAINT: Final = re.compile(r"^\S.*?:\d+(?::\d+)?: (.*)$", re.MULTILINE)
_QUOTED: Final = re.compile(r"""['"`\u2018\u201c\u201e\u00ab\u00bb](?:\w+::)*(\w+)""")
_OF_PTO: Final = re.compile(r"\bpto\s*::\s*(\w+)")
_INCLUDE: Final = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"](pto/[^>"]+)[>"]', re.MULTILINE)
_WORD: Final = re.compile(r"\w+")
_OF_THE_CHIP: Final = "npu"  # the folder that the simulation does not read


@dataclass(frozen=True)
class Explanation:
    """The way in which a failed compile depends on the commit of PTO-ISA: a sentence, and a remedy."""

    text: str
    hint: str


def explain(words: str, sources: Iterable[Path], include: Path) -> Explanation | None:
    """Why a compiler failed with these words, if the cause is names that PTO-ISA has at another commit; else None.

    Args:
        words: the compiler's words, also those about several files.
        sources: the files that were compiled.
        include: the folder of PTO-ISA's headers in use.
    """
    texts = [text for source in sources if (text := _read(source)) is not None]
    complaints = "\n".join(_COMPLAINT.findall(words))
    lost = sorted(
        {header for text in texts for header in _INCLUDE.findall(text) if header in complaints}
        - {str(path.relative_to(include)) for path in include.rglob("*") if path.is_file()}
    )
    quoted = set(_QUOTED.findall(complaints)) & {word for text in texts for word in _WORD.findall(text)}
    lacking = quoted - _words_of(include) if quoted else set()
    if not lost and not lacking:
        return None
    checkout = os.environ.get("PTO_ISA_ROOT", "")
    wanted_has = _names_at(checkout, WANTED_COMMIT, lacking)
    names = [*lost, *sorted(wanted_has or (lacking & {name for text in texts for name in _OF_PTO.findall(text)}))]
    return _explanation(names, checkout) if names else None


def at_wanted_commit(name: str) -> bool:
    """True if PTO-ISA has a name at the wanted commit, as far as the checkout knows."""
    return bool(_names_at(os.environ.get("PTO_ISA_ROOT", ""), WANTED_COMMIT, [name]))


def _explanation(names: Sequence[str], checkout: str) -> Explanation:
    chosen = os.environ.get("PTO_ISA_COMMIT")
    in_use = _commit(checkout, chosen or "HEAD")
    said = f"commit {in_use[:_SHORT]}" if in_use else "of a commit that nobody knows, as it is no git checkout"
    place = f"{checkout}, {said}{', as -c or PTO_ISA_COMMIT says' if chosen else ''}"
    wanted = WANTED_COMMIT[:_SHORT]
    if in_use == WANTED_COMMIT:
        text = f"PTO-ISA has no {', '.join(names)} where the simulation looks. In use is {place}"
        return Explanation(
            text, f"{wanted} has served all scenes of simpler at 30fdeca8; name the commit this one is for"
        )
    text = f"PTO-ISA has no {', '.join(names)} at the commit in use ({place}). Wanted is its commit {wanted}"
    if _commit(checkout, WANTED_COMMIT):
        return Explanation(text, f"name it: -c {wanted}")
    if in_use:
        return Explanation(
            text, f"{shell_join(['git', '-C', checkout, 'fetch', 'origin', WANTED_COMMIT])}, then name it: -c {wanted}"
        )
    return Explanation(
        text, f"name a git checkout of hw-native-sys/pto-isa with --pto-isa, and the commit: -c {wanted}"
    )


def _read(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return None


def _words_of(include: Path) -> set[str]:
    """All words of the headers that a simulated platform may read."""
    found: set[str] = set()
    for path in include.rglob("*"):
        if _OF_THE_CHIP not in path.relative_to(include).parts and path.is_file():
            found.update(_WORD.findall(_read(path) or ""))
    return found


def _commit(checkout: str, name: str) -> str:
    """The full name of a commit, or nothing if the folder is no checkout, or has no such commit."""
    return _git(checkout, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()


def _names_at(checkout: str, commit: str, names: Iterable[str]) -> set[str]:
    """The names, out of some, that the headers of a commit have."""
    patterns = [word for name in names for word in ("-e", name)]
    if not patterns or not _commit(checkout, commit):
        return set()
    words = ("grep", "-h", "-o", "-w", "-F", *patterns, commit, "--", "include", f":!include/pto/{_OF_THE_CHIP}")
    return set(_git(checkout, *words).split())


def _git(checkout: str, *words: str) -> str:
    """The output of git; nothing if it fails, or is not installed."""
    if not checkout:
        return ""
    try:
        done = subprocess.run(["git", "-C", checkout, *words], capture_output=True, check=False)
    except OSError:
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""
