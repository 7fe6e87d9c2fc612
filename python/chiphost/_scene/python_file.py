# SPDX-License-Identifier: Apache-2.0
"""The Python file of a scene: running it as a module, and the line of it that an exception came from."""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
import types
from pathlib import Path

from ..errors import make_error


def import_file(file: Path) -> types.ModuleType:
    """Run a file as a module of its own, without a trace in the file system. Raises SceneError (SCENE_INVALID)."""
    name = f"chiphost_scene_{hashlib.sha256(os.fsencode(file)).hexdigest()[:16]}"
    module = types.ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module  # dataclasses look here for the module they are in
    try:
        exec(compile(file.read_bytes(), str(file), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        message = f"importing it raised {type(error).__name__}: {error}"
        raise make_error("SCENE_INVALID", message, line_in(error, file)) from error
    return module


def line_in(error: BaseException, file: Path) -> str:
    """The file, and the last of its lines that the exception passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"{file}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{file}:{lines[-1]}" if lines else str(file)
