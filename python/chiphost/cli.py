# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost`.

Exit codes: 0 all passed, 1 something failed, 2 wrong usage or environment.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import traceback
from typing import Any

import click

from .commands.bench import bench
from .commands.ci import ci
from .commands.doctor import doctor
from .commands.run import run


class _Group(click.Group):
    """Reports chiphost's own errors without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            from .errors import ChiphostError

            if not isinstance(error, ChiphostError):
                raise
            if os.environ.get("CHIPHOST_DEBUG", "0") not in ("", "0"):
                traceback.print_exc()
            click.echo(f"chiphost: {error}", err=True)
            ctx.exit(2)


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from . import __version__

        click.echo(f"chiphost {__version__}")
        ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show it.")
def cli() -> None:
    """Run task graphs on simulated and real AI accelerator chips."""


cli.add_command(run)
cli.add_command(ci)
cli.add_command(doctor)
cli.add_command(bench)


def main() -> None:
    """Run the program `chiphost`; does not return."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # compilers say things that not every locale can
    try:
        cli(prog_name="chiphost")
    except SystemExit as end:
        _leave_at_once_if_needed(end.code)
        raise


def _leave_at_once_if_needed(code: object) -> None:
    """End the process here if threads are left that run scenes: Python's own end would pull the ground from them."""
    # runner.THREAD_NAME, which --help should not have to import
    if not any(thread.name.startswith("chiphost-scene") for thread in threading.enumerate()):
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)
