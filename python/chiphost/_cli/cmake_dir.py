# SPDX-License-Identifier: Apache-2.0
"""`chiphost cmake-dir`: where CMake finds the package."""

from __future__ import annotations

import click


@click.command("cmake-dir")
def cmake_dir() -> None:
    """Print the folder for `cmake -Dchiphost_DIR=...`, so that find_package(chiphost) finds it."""
    from .._runtimes import installation

    folder = installation.folder("cmake", "chiphostConfig.cmake")
    if not (folder / "chiphostConfig.cmake").is_file():
        raise click.ClickException(f"no chiphostConfig.cmake in {folder}; install chiphost again")
    click.echo(folder)
