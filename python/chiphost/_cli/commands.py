# SPDX-License-Identifier: Apache-2.0
"""The commands of the program `chiphost` as a command line sees them: options, help, and options that exclude others.

The work of a command is in the module of its name. That module is imported when the command runs, so that `chiphost
--help` and a shell's completion answer at once. Modules that these need do not import heavy ones at their top: NumPy,
rich, the C++ core, and all modules that import one of them.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .._strategies import CHOICES, STRATEGIES
from ..scenes import events
from . import completion, options, supervisor

if TYPE_CHECKING:
    from .._reports.file import ReportFile


def _start(name: str, **chosen: Any) -> None:
    """Do what a command does: call the `main` of its module."""
    importlib.import_module(f".{name}", __package__).main(**chosen)


def _check_reports(json_file: ReportFile | None, junit_file: ReportFile | None) -> None:
    if json_file and junit_file and json_file.path == junit_file.path:
        raise click.UsageError("--json and --junit name the same file")


def _check_checks(check: int, sim_threads: int) -> None:
    if check and sim_threads != 1:
        raise click.UsageError("--check needs --sim-threads 1: what it finds holds for every order anyway")


@click.command(cls=options.CommandWithChecks)
@click.argument("scene", required=False, shell_complete=completion.scenes)
@options.platform("Where to run it.")
@options.runtime
@click.option("--case", "cases", multiple=True, metavar="CASE", help="Run this case; may be given several times.")
@click.option("--all-cases", is_flag=True, help="Run all cases.")
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    metavar="N",
    help="Run each case so many times on one worker.  [default: what the scene says]",
)
@click.option(
    "--timeout",
    type=options.Seconds(min=0),
    metavar="SECONDS",
    help="Stop a run after this time; 0 never does.  [default: 60]",
)
@options.scenes
@options.pto_isa
@click.option("--list", "list_only", is_flag=True, help="Show the scenes and their cases, and run nothing.")
@options.how_to_run
def run(scene: str | None, list_only: bool, cases: tuple[str, ...], all_cases: bool, **chosen: Any) -> None:
    """Run a scene: its default case, unless others are named.

    SCENE is "<runtime>/<scene>", or "<scene>" if there is only one of that name, or the path of a scene's folder.
    """
    if scene is None and not list_only:
        raise click.UsageError("name a scene; chiphost run --list shows them")
    if cases and all_cases:
        raise click.UsageError("--case and --all-cases exclude each other")
    _check_checks(chosen["check"], chosen["sim_threads"])
    seeds = options.take_seeds(chosen)
    supervisor.begin()
    repeated = options.not_default(chosen["scenes"], chosen["sim_threads"], chosen["isolation"])
    wanted = {"cases": cases, "all_cases": all_cases, "seeds": seeds, "repeated": tuple(repeated)}
    _start("run", scene=scene, list_only=list_only, **wanted, **chosen)


@click.command()
@click.argument("scene", shell_complete=completion.scenes)
@options.platform("Where to run it: a simulated platform.")
@options.runtime
@click.option("--case", metavar="CASE", help="Explore this case.  [default: the scene's default case]")
@click.option(
    "--strategy",
    type=options.Choice(["pct", "pos", "random", "exhaustive"]),
    default="pct",
    show_default=True,
    help="How schedules are chosen.",
)
@click.option("--steps", is_flag=True, help="Order all steps of all processors, not only tasks.")
@click.option(
    "--depth",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    metavar="D",
    help="For pct: how many ordering decisions a fault may need.",
)
@click.option(
    "--budget",
    type=options.BudgetType(),
    metavar="BUDGET",
    help="Stop after so many schedules, or after a time such as 30s.  [default: 10s, and for pct its bound]",
)
@click.option(
    "--race-free",
    is_flag=True,
    help="For exhaustive: the graph has no races, so leave out orders in which the scheduler sees no difference.",
)
@click.option("--every-core", is_flag=True, help="For exhaustive: try every core for every task, too.")
@click.option(
    "--seed",
    type=click.IntRange(0, options.SEED_MAX),
    default=0,
    show_default=True,
    metavar="N",
    help="Makes the random choices of a strategy.",
)
@click.option(
    "--input-seed",
    type=click.IntRange(0, options.SEED_MAX),
    default=0,
    show_default=True,
    metavar="N",
    help="Makes the inputs.",
)
@click.option(
    "--block-dim",
    type=click.IntRange(min=1),
    metavar="N",
    help="Use so many clusters, whatever the scene says: on few cores there are fewer schedules.",
)
@click.option("--replay", metavar="LOG", help="Run only the schedule that this log describes; @FILE reads it.")
@options.json_file("Write what was found to this file as JSON.")
@click.option(
    "--isolation",
    type=options.Choice([choice for choice in CHOICES if choice != "process"]),
    help="How the runtime is kept apart from this process.  [default: the best that this system has]",
)
@options.scenes
@options.pto_isa
def explore(scene: str, **chosen: Any) -> None:
    """Run a scene in many schedules, and compare the results.

    Says what was found out: that no schedule fails, with a bound; or the schedule with the fewest decisions that does,
    and the command that runs it again. SCENE is as for `chiphost run`.
    """
    repeated = options.repeated_in_explore(chosen["scenes"], chosen["isolation"], chosen["block_dim"])
    supervisor.begin()
    from .._explore.driver import Budget, Plan  # see the top

    budget = chosen.pop("budget")
    plan = Plan(
        strategy=chosen.pop("strategy"),
        level="steps" if chosen.pop("steps") else "tasks",
        depth=chosen.pop("depth"),
        seed=chosen.pop("seed"),
        every_core=chosen.pop("every_core"),
        race_free=chosen.pop("race_free"),
        budget=budget and Budget(*budget),
    )
    _start("explore", scene=scene, plan=plan, repeated=repeated, **chosen)


@click.command(cls=options.CommandWithChecks)
@options.platform("Where to run them.")
@options.runtime
@click.option("-k", "text", metavar="TEXT", help="Scenes with this text in their name only.")
@click.option(
    "-t",
    "--timeout",
    type=options.Seconds(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop everything after this time; scenes that are not done by then have failed.",
)
@click.option("--parallel", is_flag=True, help="Run several scenes at once, each on a worker of its own.")
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Run a case that fails up to N times more; what happened before is shown.",
)
@click.option(
    "--case",
    "cases",
    multiple=True,
    metavar="CASE",
    help="Run this case only; may be given several times. Scenes that have none of them are skipped.",
)
@click.option("--all-cases", is_flag=True, help="Run all cases of simpler's scenes, too, not only their default ones.")
@click.option("--build-runtime", is_flag=True, help="Build the runtimes from source first, and use these.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Checkout to build them from.  [default: the working folder or one above it]",
)
@options.json_file()
@options.report_file("--junit", "junit_file", text="Write them as JUnit XML.")
@options.scenes
@options.pto_isa
@options.how_to_run
def ci(json_file: ReportFile | None, junit_file: ReportFile | None, **chosen: Any) -> None:
    """Run all cases of all scenes of a platform.

    Prints a line for each scene, in the order of their names. Those are skipped that are not for the platform, or need
    more than its chip has. Scenes run one after the other in this process, on one
    worker for each runtime that is reset in between; see --parallel.
    """
    _check_reports(json_file, junit_file)
    if chosen["source"] and not chosen["build_runtime"]:
        raise click.UsageError("--source is for --build-runtime")
    if chosen["cases"] and chosen["all_cases"]:
        raise click.UsageError("--case and --all-cases exclude each other")
    _check_checks(chosen["check"], chosen["sim_threads"])
    seeds = options.take_seeds(chosen)
    supervisor.begin()
    repeated = options.not_default(chosen["scenes"], chosen["sim_threads"], chosen["isolation"])
    again = [*repeated, *options.check_words(chosen["check"])]
    events.tell("reports", json_file, junit_file, chosen["platform"], seeds.first, again)
    _start("ci", json_file=json_file, junit_file=junit_file, repeated=tuple(repeated), seeds=seeds, **chosen)


@click.command()
@options.json_file("Write what was found to this file as JSON.")
@click.option("--details", is_flag=True, help="Say also what was looked for in vain for real chips.")
def doctor(**chosen: Any) -> None:
    """Show what this machine can do, and try it.

    Looks at compilers, runtimes, linker namespaces and the compile cache, and loads every runtime once. The exit code
    is 0 if the simulated platforms can run.
    """
    _start("doctor", **chosen)


@click.command()
@options.json_file("Write the figures to this file as JSON.")
@click.option("--quick", is_flag=True, help="Measure less often.")
@click.option("--isolation", is_flag=True, help="Measure what each isolation strategy costs instead.")
def bench(**chosen: Any) -> None:
    """Measure chiphost on this machine and compare with its goals.

    Where oneTBB is installed, its flow graph runs the same graphs. Other work on the machine spoils the figures. A goal
    that is missed is no failure.

    With --isolation: namespace, copy and process side by side, next to a process for every run.
    """
    _start("bench", **chosen)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--strategy",
    type=options.Choice(CHOICES),
    default="auto",
    show_default=True,
    help="What the exit code is about.",
)
@click.option(
    "--default-lookup", is_flag=True, help="As a library that is opened with default_lookup=True: see isolate.open."
)
@options.json_file("Write what was found to this file as JSON.")
def audit(**chosen: Any) -> None:
    """Show how shared libraries can be isolated, and what stands in the way.

    The files are read, never loaded. The exit code is 0 if each can be used under the strategy, 1 if one cannot, 2 if
    one cannot be read.
    """
    _start("audit", **chosen)


@click.command()
@click.option(
    "-p",
    "--platform",
    required=True,
    metavar="PLATFORM",
    help="For example a2a3sim.",
    shell_complete=completion.suites,
)
@click.option("-k", "text", metavar="TEXT", default="", help="Tests with this text in their name only.")
@click.option(
    "-t",
    "--timeout",
    type=click.IntRange(1, 86400),
    metavar="SECONDS",
    default=30,
    show_default=True,
    help="Of each test: one that takes longer has failed.",
)
@click.option(
    "--isolation",
    type=options.Choice([strategy for strategy in STRATEGIES if strategy != "process"]),
    help="How the platform's programs are loaded.  [default: the best that this system has]",
)
@click.option("--list", "only_list", is_flag=True, help="Show the tests and what they try; run nothing.")
@options.json_file()
@options.report_file("--junit", "junit_file", text="Write them as JUnit XML.")
def conform(json_file: ReportFile | None, junit_file: ReportFile | None, **chosen: Any) -> None:
    """Run the conformance suite against a platform.

    Prints a line for each test. LIST marks one that the platform's conformance.def lists with a reason; a listed test
    that passes is a failure: the list only shrinks.
    """
    _check_reports(json_file, junit_file)
    _start("conform", json_file=json_file, junit_file=junit_file, **chosen)


@click.command("cmake-dir")
def cmake_dir() -> None:
    """Print the folder for `cmake -Dchiphost_DIR=...`, so that find_package(chiphost) finds it."""
    _start("cmake_dir")


COMMANDS: Final = (run, ci, explore, doctor, bench, audit, conform, cmake_dir)
