# SPDX-License-Identifier: Apache-2.0
"""Text from outside, made fit for a terminal, a shell and JSON."""

from __future__ import annotations

import json
import os
import subprocess
from xml.etree import ElementTree

import pytest
from hostile_text import BYTE, is_plain
from program import SHELL, TIMEOUT_S, needs_shell

from chiphost._text.printable import encodable, one_line, printable, shell_join

NAMES = {
    "escape": ("a\x1b[31mred", r"a\x1b[31mred"),
    "end of line": ("a\nPASS  forged", r"a\nPASS  forged"),
    "tab": ("a\tb", r"a\tb"),
    "no UTF-8": (BYTE, r"caf\xe9"),
    "C1": ("a\x9b2Jb", r"a\x9b2Jb"),
    "bidi": ("a\u202eb", r"a\u202eb"),
    "no character": ("a\ufffeb", r"a\ufffeb"),
    "markup": ("<&>\"'[bold]", "<&>\"'[bold]"),
    "words": ("größer 漢字", "größer 漢字"),
}
each_name = pytest.mark.parametrize("name", NAMES)


@each_name
def test_text_is_made_printable(name: str) -> None:
    raw, shown = NAMES[name]
    assert one_line(raw) == shown
    assert is_plain(printable(raw).replace("\t", ""))
    assert printable(raw).replace("\n", "\\n").replace("\t", "\\t") == shown
    ElementTree.fromstring(f"<a>{printable(raw).replace('&', '').replace('<', '')}</a>".encode())
    json.dumps(encodable({raw: [raw, (raw, None, 1.5)]}), ensure_ascii=False).encode()


@needs_shell
@each_name
def test_a_shell_reads_what_was_joined(name: str) -> None:
    raw, _ = NAMES[name]
    script = f"printf %s {shell_join([raw])}"
    done = subprocess.run([SHELL, "-c", script], capture_output=True, check=True, timeout=TIMEOUT_S)
    assert done.stdout == os.fsencode(raw)


def test_json_keeps_what_utf8_has() -> None:
    assert encodable("a\x1b\n\u202e漢") == "a\x1b\n\u202e漢"
    assert encodable(["\ud800", BYTE]) == [r"\ud800", r"caf\xe9"]
