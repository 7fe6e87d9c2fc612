# SPDX-License-Identifier: Apache-2.0
"""`chiphost cmake-dir`: the folder in which CMake finds the package."""

from __future__ import annotations

import click

from .._runtimes import installation


def main() -> None:
    """Print the folder."""
    folder = installation.folder("cmake", "chiphostConfig.cmake")
    if not (folder / "chiphostConfig.cmake").is_file():
        raise click.ClickException(f"no chiphostConfig.cmake in {folder}; install chiphost again")
    click.echo(folder)
