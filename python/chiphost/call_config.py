# SPDX-License-Identifier: Apache-2.0
"""The fields of CallConfig, from the table that the C++ core is made from: cpp/include/chiphost/abi/call_config.def."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from . import _core


@dataclass(frozen=True)
class ConfigField:
    """A field of CallConfig.

    Attributes:
        name: the field.
        kind: "number"; "optional", a number or None for what the chip has; "flag"; "seconds".
        least: the smallest value that is no error. The largest depends on the chip.
        user: who sets it: "graph", which a scene may do too; "simulation" or "caller", only who runs it.
        variable: the environment variable that sets the default; "" if none does.
        default, range, meaning: for the docs.
    """

    name: str
    kind: str
    least: int
    user: str
    variable: str
    default: str
    range: str
    meaning: str


FIELDS: Final[dict[str, ConfigField]] = {row[0]: ConfigField(*row) for row in _core.config_table()}


def table_as_markdown() -> str:
    """The fields as a table of the docs."""
    lines = ["| Field | Default | Range | Meaning |", "|---|---|---|---|"]
    for field in FIELDS.values():
        range_cell = f" {field.range} " if field.range else " "
        lines.append(f"| `{field.name}` | {field.default} |{range_cell}| {field.meaning} |")
    return "\n".join(lines) + "\n"
