# SPDX-License-Identifier: Apache-2.0
"""`chiphost cmake-dir`: where CMake finds the package."""

from __future__ import annotations

import click


@click.command("cmake-dir")
def cmake_dir() -> None:
    """Print the folder for `cmake -Dchiphost_DIR=...`, so that find_package(chiphost) finds it."""
    from pathlib import Path

    import chiphost

    # In an editable installation the modules are in the checkout, what was built is not.
    for root in map(Path, chiphost.__path__):
        if (root / "cmake" / "chiphostConfig.cmake").is_file():
            click.echo(root / "cmake")
            return
    raise click.ClickException(f"no chiphostConfig.cmake in {', '.join(chiphost.__path__)}; install chiphost again")
