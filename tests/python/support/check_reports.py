# SPDX-License-Identifier: Apache-2.0
"""Reports of checked runs, made by hand, as a runtime gives them."""

from __future__ import annotations

import json
from typing import Any

RACE: dict[str, Any] = {"check": "races", "what": "write_after_read"}
ARGUMENT = {"kind": "argument", "number": 1, "bytes": 4096, "shape": [8, 128], "dtype": 0}
OUTPUT = {"kind": "output", "submission": 1, "number": 0, "bytes": 64, "shape": [16], "dtype": 0}
ORCHESTRATION = {"actor": "orchestration", "action": "read", "program": -1, "code": []}
HOST = {"actor": "host", "action": "write", "program": -1, "code": []}


def task(submission: int, action: str, **fields: Any) -> dict[str, Any]:
    """The access of a task: by default of kernel 0, through an input, its tensor 0."""
    return {
        "actor": "task",
        "action": action,
        "submission": submission,
        "id": 4294967296 + submission,
        "func_id": 0,
        "block": 0,
        "block_num": 1,
        "core": 5,
        "argument": 0,
        "role": 0,
        "program": 0,
        "code": [],
        "submitted": [],
        **fields,
    }


def finding(**fields: Any) -> dict[str, Any]:
    """A finding: by default a write after read on 16 bytes of an argument."""
    return {
        **RACE,
        "count": 1,
        "first": task(1, "read"),
        "second": task(3, "write", func_id=1, program=1, argument=1),
        "memory": ARGUMENT,
        "begin": 0,
        "end": 16,
        "elements": {"first": [0, 0], "last": [0, 3]},
        **fields,
    }


def report(*findings: dict[str, Any], **fields: Any) -> str:
    """The text of a report."""
    counts = {"checks": 63, "tasks": 4, "edges": 3, "unnecessary_edges": 1, "dropped": 0}
    return json.dumps({"format": 1, **counts, "findings": findings, **fields})
