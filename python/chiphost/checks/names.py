# SPDX-License-Identifier: Apache-2.0
"""The names of files, lines and kernels in texts about findings: everywhere the same."""

from __future__ import annotations

import os
from pathlib import Path

from .._text.printable import one_line
from .finding import Access, CodeLine


class Names:
    """Names, with those of files relative to a folder if they are in it, or else to the working folder."""

    def __init__(self, base: Path | None = None) -> None:
        """Keep the folder; None: the working folder alone."""
        self._folders = [*([base] if base else []), Path.cwd()]

    def file(self, path: str) -> str:
        """The name of a file; its whole path if it is in none of the folders."""
        for folder in self._folders:
            for at in dict.fromkeys((str(folder), os.path.realpath(folder))):
                if path.startswith(f"{at}/"):
                    return one_line(path[len(at) + 1 :])
        return one_line(path)

    def line(self, line: CodeLine | None) -> str:
        """For example "add.cpp:9", or "TAdd.hpp:123, called in add.cpp:9"; "" for None."""
        if line is None:
            return ""
        own = f"{self.file(line.file)}:{line.line}"
        return own if line.inner is None else f"{self.line(line.inner)}, called in {own}"

    @staticmethod
    def kernel(access: Access) -> str:
        """For example "kernel `add`"."""
        return f"kernel `{one_line(access.kernel)}`" if access.kernel else f"kernel of func_id {access.func_id}"
