# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost` in this process."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from chiphost._cli.program import cli


def invoke(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words], prog_name="chiphost")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def last_line(output: str) -> str:
    return output.splitlines()[-1]
