# SPDX-License-Identifier: Apache-2.0
"""Options that several commands have."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from .._strategies import CHOICES
from .._text.suggestion import nearest
from ..scenes.seeds import Seeds
from . import completion, restart

if TYPE_CHECKING:
    from .._reports.file import ReportFile

_REPEATED: Final = "chiphost.options.repeated"  # in the context: words of options that are nobody's parameter
Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

DEFAULT_PLATFORM: Final = "a2a3sim"
_ALL_CHECKS: Final = "--check=all"
SEED_MAX: Final = 2**64 - 1


class Choice(click.Choice):  # type: ignore[type-arg]  # click before 8.4 has no argument for the type
    """One of several words. The error for a misspelt word names the nearest one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse any other word."""
        if value not in self.choices:
            known = ", ".join(map(repr, self.choices))
            near = nearest(value, self.choices)
            guess = f" Did you mean {near!r}?" if near else ""
            self.fail(f"{value!r} is not one of {known}.{guess}", param, ctx)
        return super().convert(value, param, ctx)


class CommandWithChecks(click.Command):
    """A command with the option --check, whose words stand behind a "=". So a word after it is none of them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let --check without words stand for all checks."""
        end = args.index("--") if "--" in args else len(args)
        for word, following in itertools.pairwise(args[:end]):
            if word == "--check" and _are_checks(following):
                raise click.BadOptionUsage("--check", f'Words of --check stand behind a "=": --check={following}', ctx)
        options = [_ALL_CHECKS if word == "--check" else word for word in args[:end]]
        return super().parse_args(ctx, [*options, *args[end:]])


class Seconds(click.FloatRange):
    """A time. Infinity is one; NaN is none."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse NaN, which is in every range."""
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


class SeedRange(click.ParamType):  # type: ignore[type-arg]  # as above
    """Two seeds with a hyphen between them, the smaller one first; or one."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Make (first, last) of it."""
        words = str(value).split("-")
        if not 1 <= len(words) <= 2 or not all(word.isascii() and word.isdigit() for word in words):
            self.fail(f"wanted two seeds such as 0-99, found {value!r}", param, ctx)
        first, last = int(words[0]), int(words[-1])
        if not first <= last <= SEED_MAX:
            self.fail(f"wanted seeds from 0 to 2^64 - 1, the smaller one first; found {value!r}", param, ctx)
        return first, last


class BudgetType(click.ParamType):  # type: ignore[type-arg]  # as above
    """A number of schedules, or a time with its unit: s, m or h."""

    name = "budget"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, float | None]:
        """Make (schedules, seconds) of it, of which one is None."""
        text = str(value).replace(",", "")
        units = {"s": 1.0, "m": 60.0, "h": 3600.0}
        try:
            schedules, seconds = (None, float(text[:-1]) * units[text[-1]]) if text[-1:] in units else (int(text), None)
        except ValueError:
            schedules = seconds = None
        if not (schedules or 0) > 0 and not 0 < (seconds or 0) < math.inf:
            self.fail(
                f"wanted a number of schedules, such as 5000, or a time, such as 30s; found {value!r}", param, ctx
            )
        return schedules, seconds


def report_file(*names: str, text: str) -> Decorator[Any]:
    """A file to write a report to. A file that cannot be written is wrong usage, found before anything runs."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> ReportFile | None:
        if value is None:
            return None
        if not value:
            raise click.BadParameter("the name of the file is empty", ctx, param)
        from .._reports.file import ReportFile  # see `commands`

        file = ReportFile(value)
        try:
            file.check()
        except OSError as error:
            raise click.BadParameter(f"cannot write {value}: {error}", ctx, param) from error
        return file

    return click.option(*names, metavar="FILE", callback=check, help=text)


def platform(text: str) -> Decorator[Any]:
    """-p: a platform, by default a simulated one."""
    return click.option(
        "-p",
        "--platform",
        default=DEFAULT_PLATFORM,
        show_default=True,
        metavar="PLATFORM",
        help=text,
        shell_complete=completion.platforms,
    )


def runtime(command: Command) -> Command:
    """-r: limit to one runtime."""
    text = "Scenes of this runtime only."
    complete = completion.runtimes
    return click.option("-r", "--runtime", metavar="RUNTIME", help=text, shell_complete=complete)(command)


def scenes(command: Command) -> Command:
    """--scenes: the folder of the scenes."""
    text = "Folder of scenes.  [default: $CHIPHOST_SCENES_DIR, else chiphost's own]"
    path = click.Path(path_type=Path)
    return click.option("--scenes", "scenes", type=path, metavar="DIR", help=text)(command)


def pto_isa(command: Command) -> Command:
    """--pto-isa and -c: the folder and the commit of the headers that kernels of simpler include."""
    for add in (
        click.option(
            "-c",
            "--pto-isa-commit",
            metavar="COMMIT",
            expose_value=False,
            callback=_set_variable("PTO_ISA_COMMIT", "-c"),
            help="Take PTO-ISA as it is at this commit of that checkout. Nothing is fetched.",
        ),
        click.option(
            "--pto-isa",
            metavar="DIR",
            expose_value=False,
            callback=_set_variable("PTO_ISA_ROOT", "--pto-isa"),
            help="Checkout of PTO-ISA, for scenes of simpler.  [default: $PTO_ISA_ROOT]",
        ),
    ):
        command = add(command)
    return command


def _set_variable(name: str, option: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    """A callback that sets a variable of the environment, which all processes of the command then have."""

    def set_it(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            os.environ.update({name: value})
            context.meta.setdefault(_REPEATED, []).extend((option, value))

    return set_it


def how_to_run(command: Command) -> Command:
    """--check, --seed and its relatives, --sim-threads, -v, --isolation and --more-namespaces.

    The command is a `CommandWithChecks`.
    """
    for add in (
        click.option(
            "--check",
            metavar="[=WORDS]",
            default="",
            callback=_parse_checks,
            help="Look for races, memory faults and more, in every run: for all, or for some, such as "
            "--check=races,memory. Findings are failures. Simulated platforms only.",
        ),
        click.option(
            "--isolation",
            type=Choice(CHOICES),
            help="How runtimes are kept apart from this process.  [default: the best that this system has]",
        ),
        click.option(
            "--more-namespaces",
            is_flag=True,
            expose_value=False,
            callback=_restart,
            help="Start the program anew with settings of the C library that allow as many namespaces as there can be.",
        ),
        click.option(
            "--sim-threads",
            type=int,
            metavar="N",
            default=1,
            show_default=True,
            callback=_check_sim_threads,
            help="Host threads that simulate the chip in a run; with 1 the same seed gives the same run.",
        ),
        click.option(
            "-v",
            "--verbose",
            is_flag=True,
            help="Show a digest of the order in which tasks ran on cores: the same seed has the same on every machine.",
        ),
        click.option(
            "--seeds",
            type=SeedRange(),
            metavar="A-B",
            help="Try all these seeds, one after the other, and stop a case at the first that fails.",
        ),
        click.option(
            "--order-seed",
            type=click.IntRange(0, SEED_MAX),
            metavar="N",
            help="Orders the simulated processors, whatever makes the inputs.",
        ),
        click.option(
            "--input-seed",
            type=click.IntRange(0, SEED_MAX),
            metavar="N",
            help="Makes the inputs, whatever orders the simulated processors.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, SEED_MAX),
            metavar="N",
            help="Makes the inputs and orders the simulated processors.  [default: 0]",
        ),
    ):
        command = add(command)
    return command


def take_seeds(chosen: dict[str, Any]) -> Seeds:
    """Take the options about seeds out of those that were chosen, and make seeds of them."""
    seed, seeds = chosen.pop("seed"), chosen.pop("seeds")
    input_seed, order_seed = chosen.pop("input_seed"), chosen.pop("order_seed")
    if seed is not None and seeds is not None:
        raise click.UsageError("--seed and --seeds exclude each other")
    if seeds is not None and input_seed is not None and order_seed is not None:
        raise click.UsageError("--input-seed and --order-seed together leave --seeds nothing to vary")
    first, last = seeds or (seed or 0, seed or 0)
    return Seeds(first, last, input_seed, order_seed)


def json_file(text: str = "Write the results to this file as JSON.") -> Decorator[Any]:
    """--json: a report for programs."""
    return report_file("--json", "json_file", text=text)


def check_words(check: int) -> list[str]:
    """The words that repeat --check in another command."""
    if not check:
        return []
    from ..checks import check_names  # see `commands`

    return [f"--check={check_names.as_text(check)}"]


def _are_checks(word: str) -> bool:
    from ..checks import check_names  # see `commands`

    return set(word.split(",")) <= {check_names.ALL, *check_names.BITS}


def _parse_checks(ctx: click.Context, param: click.Parameter, value: str) -> int:
    if not value:
        return 0
    from ..checks import check_names  # see `commands`
    from ..errors import ArgumentError

    try:
        return check_names.parse(value)
    except ArgumentError as error:
        raise click.BadParameter(f"{error.message}; {error.hint}", ctx, param) from error


def not_default(scenes: Path | None, sim_threads: int, isolation: str | None) -> Sequence[str]:
    """The words that repeat these options in another command."""
    words = []
    if scenes is not None:
        words += ["--scenes", str(scenes)]
    if sim_threads != 1:
        words += ["--sim-threads", str(sim_threads)]
    if isolation is not None:
        words += ["--isolation", isolation]
    return [*words, *click.get_current_context().meta.get(_REPEATED, ())]


def repeated_in_explore(scenes: Path | None, isolation: str | None, block_dim: int | None) -> Sequence[str]:
    """The words that repeat these options of `chiphost explore`."""
    block_dims = [] if block_dim is None else ["--block-dim", str(block_dim)]
    return [*block_dims, *not_default(scenes, 1, isolation)]


def _restart(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        restart.with_more_namespaces()


def _check_sim_threads(ctx: click.Context, param: click.Parameter, value: int) -> int:
    from .._core import MAX_SIM_THREADS  # see `commands`

    if not 1 <= value <= MAX_SIM_THREADS:
        raise click.BadParameter(f"{value} is not in the range 1 to {MAX_SIM_THREADS}", ctx, param)
    return value
