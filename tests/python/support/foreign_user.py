# SPDX-License-Identifier: Apache-2.0
"""A user other than the one who runs the tests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import pytest

FOREIGN_USER: Final = 12345


def _can_give_files_away() -> bool:
    with tempfile.NamedTemporaryFile() as file:
        try:
            os.chown(file.name, FOREIGN_USER, FOREIGN_USER)
        except OSError:
            return False
    return True


CAN_GIVE_FILES_AWAY: Final = _can_give_files_away()
as_root = pytest.mark.skipif(
    not CAN_GIVE_FILES_AWAY,
    reason="only root can give files to another user, and only where the user namespace has that one",
)


def a_foreign_folder(at: Path) -> tuple[Path, int]:
    """A folder of another user, made at a path if that can be, and its owner."""
    if CAN_GIVE_FILES_AWAY:
        at.mkdir()
        os.chown(at, FOREIGN_USER, FOREIGN_USER)
        return at, FOREIGN_USER
    there = Path("/usr")
    owner = there.stat().st_uid
    if owner == os.geteuid():
        pytest.skip("all folders are this user's")
    return there, owner
