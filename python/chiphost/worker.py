# SPDX-License-Identifier: Apache-2.0
"""Workers, which run callables."""

from __future__ import annotations

import copy
import dataclasses
import operator
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from . import _core
from ._core import CallConfig
from ._runtimes import runtimes
from ._runtimes.runtimes import RuntimeFiles
from ._runtimes.strategy import choose_strategy
from ._system import end_of_process as _end_of_process  # noqa: F401 (it ends calls with the process)
from ._system.stacks import stack_bytes_or_default
from .callable import ChipCallable
from .checks import check_names
from .checks.check_names import Checks
from .chip import Chip
from .errors import ChiphostError, make_error
from .run_result import RunResult

_DEVICE_ID_MAX: Final = 2**31 - 1
_BYTES_MAX: Final = 2**64 - 1


class ChipWorker:
    """One device in one runtime. Several workers may use one runtime, or different ones, at the same time.

        with ChipWorker("host_build_graph", "a2a3sim") as worker:
            worker.run(callable, [a, b, out], block_dim=3)

    A worker may be used from several threads; its calls are made one after the other. The GIL is free during all of
    them. Ctrl-C ends the wait for another thread's call, and timeout_s counts it. A run that fails leaves the worker
    usable. A run that never returns poisons it: the error says so, everything but finalize() raises StateError from
    then on, and other workers don't notice. When the process ends, runs of daemon threads are stopped first.

    With isolation="process" the runtime lives in a child process. A crash, an exit or an abort there is a ProcessError,
    a run that never returns a DeadlineError, and the worker is usable after both: its next run gets another child.

    Args:
        runtime: name of an installed runtime, or the files of one; None: call init() later.
        platform: "a2a3sim" or "a5sim", simulated; "a2a3" or "a5", a real chip.
        device_id: number of the device, 0 or more.
        isolation: how the runtime is kept apart from this process: "namespace" (a linker namespace of its own), "copy"
            (a private copy of its files), "process" (a child process), "auto" (the best that is to be had now; see
            isolation_reason); None: the default of this system.
        device_memory_bytes: device memory the worker may use; 0: what the chip has.
        stack_bytes: stack for orchestrations and kernels on a simulated chip, and for the runtime, at least; 0:
            CHIPHOST_STACK_BYTES, or as much as a program's first thread has (see the settings).
    """

    def __init__(
        self,
        runtime: str | RuntimeFiles | None = None,
        platform: str = "a2a3sim",
        *,
        device_id: int = 0,
        isolation: str | None = None,
        device_memory_bytes: int = 0,
        stack_bytes: int = 0,
    ) -> None:
        """Make the worker; with a runtime, initialize it too."""
        self._worker = _core.Worker()
        self._isolation_reason = ""
        if runtime is not None:
            self.init(
                runtime,
                platform,
                device_id=device_id,
                isolation=isolation,
                device_memory_bytes=device_memory_bytes,
                stack_bytes=stack_bytes,
            )

    def init(
        self,
        runtime: str | RuntimeFiles,
        platform: str = "a2a3sim",
        *,
        device_id: int = 0,
        isolation: str | None = None,
        device_memory_bytes: int = 0,
        stack_bytes: int = 0,
    ) -> None:
        """Load the runtime and open the device.

        Raises:
            StateError: the worker has a runtime already, was finalized or is poisoned.
            SceneError: there is no such runtime or platform.
            LoadError: a program cannot be loaded.
            IsolationError: the isolation is not to be had.
        """
        runtimes.check_platform(platform)
        files = runtimes.find(runtime, platform) if isinstance(runtime, str) else runtime
        if not isinstance(files, RuntimeFiles):
            raise _wrong_type("runtime", "the name of a runtime, or a RuntimeFiles", runtime)
        strategy, reason = choose_strategy(isolation, platform)
        device_id = _integer("device_id", device_id, _DEVICE_ID_MAX)
        device_memory_bytes = _integer("device_memory_bytes", device_memory_bytes, _BYTES_MAX)
        stack_bytes = stack_bytes_or_default(stack_bytes)
        self._worker.init(
            os.fspath(files.host),
            os.fspath(files.aicpu),
            os.fspath(files.aicore),
            runtimes.is_cross_compiled(platform),
            platform,
            runtimes.anchor_path(),
            runtimes.child_path(),
            strategy,
            isolation == "auto",
            device_id,
            device_memory_bytes,
            stack_bytes,
        )
        if self._worker.fell_back:
            reason = "auto: this process can open no other linker namespace with room for it"
            reason += ", and none has a runtime that nobody uses"
            if self._worker.isolation == "process":
                reason += "; copies have no room either, or would share a symbol of it"
        self._isolation_reason = reason

    def run(
        self,
        callable: ChipCallable,
        args: Sequence[Any] = (),
        config: CallConfig | None = None,
        *,
        check: Checks = None,
        **overrides: Any,
    ) -> RunResult:
        """Run a callable and return when its results are in the arrays.

        Args:
            callable: what to run.
            args: arrays and numbers in the order of the signature. An array is anything with the buffer protocol or
                DLPack, C-contiguous, with at most 5 dimensions; outputs are written in place.
            config: how to run it; None: the defaults.
            check: what to look for, on a simulated platform: True or "all" for everything, or names of checks such as
                "races" or "races,memory", or several of these in a list; None: what `config` says, by default nothing.
                docs/checks.md says what each check finds. The programs are compiled a second time for it, once, and
                run several times slower. The result has the findings.
            **overrides: fields of the configuration by name, on top of `config`.

        Raises:
            ArgumentError, ConfigError: the arguments or the configuration are wrong; nothing has run.
            GraphError, OrchestrationError: the orchestration failed; the device has not run.
            KernelError, StallError, DeviceMemoryError: the device failed.
            ProcessError: the child process came to its end, with isolation="process".
            DeadlineError: the run, and those of other threads before it, took longer than timeout_s.
            KeyboardInterrupt: Ctrl-C, as soon as the run lets go.

        Findings of checks are no error: see `RunResult.raise_for_findings`. If a checked run fails, the error's
        attribute `findings` has what had been found.
        """
        config = self._configuration(callable, args, config, overrides)
        if check is not None and (mask := check_names.parse(check)) != config.check:
            config = _with(config, {"check": mask})
        if config.check:
            return self._run_checked(callable, args, config)
        try:
            return RunResult(self._worker.run(callable._core, args, config))
        except ChiphostError as error:
            _name_places(error, callable)
            raise

    def _explore(
        self,
        callable: ChipCallable,
        args: Sequence[Any],
        exploration: _core.Exploration,
        config: CallConfig | None = None,
        **overrides: Any,
    ) -> RunResult:
        """Run a callable in many schedules: the command `chiphost explore` as a call.

        Args:
            callable, args, config, overrides: as for `run`.
            exploration: what to explore; it gets what was found, also if a schedule fails.

        Returns:
            The result of the last schedule.

        Raises:
            What `run` raises, for the schedule that fails; ConfigError if `config` wants checks; PlatformError
            UNIMPLEMENTED with isolation="process" and on real chips.
        """
        config = self._configuration(callable, args, config, overrides)
        try:
            return RunResult(self._worker.explore(callable._core, args, config, exploration))
        except ChiphostError as error:
            _name_places(error, callable)
            raise

    def _configuration(
        self, callable: ChipCallable, args: Sequence[Any], config: CallConfig | None, overrides: dict[str, Any]
    ) -> CallConfig:
        """The configuration of a call, whose arguments are of the right kinds."""
        if not isinstance(callable, ChipCallable):
            raise _wrong_type("callable", "a ChipCallable", callable)
        platform = self._worker.platform
        if platform and callable.platform and callable.platform != platform:
            message = f"it is compiled for {callable.platform}, and the worker is {platform}"
            hint = f"compile it with platform={platform!r}"
            raise make_error("INVALID_ARGUMENT", message, f"callable {callable.name}", hint=hint)
        if config is not None and not isinstance(config, CallConfig):
            raise _wrong_type("config", "a CallConfig or None, or fields by name as in run(..., block_dim=3)", config)
        if overrides:
            config = CallConfig(**overrides) if config is None else _with(config, overrides)
        elif config is None:
            config = CallConfig()
        if not hasattr(type(args), "__getitem__") or isinstance(args, dict):
            raise _wrong_type("args", "a sequence of arrays and numbers", args)
        return config

    def _run_checked(self, callable: ChipCallable, args: Sequence[Any], config: CallConfig) -> RunResult:
        # A run that is not checked needs none of the many modules below these.
        from . import compiler
        from .checks.check_names import BITS
        from .checks.inputs import Inputs
        from .checks.report import Report, read_report

        checked = compiler.checked(callable)
        runtime = self.runtime or ""
        inputs = Inputs(callable, args, runtime) if config.check & BITS["arguments"] else None

        def read(text: str | None) -> Report | None:
            if text is None:
                return None
            report = read_report(text, checked.callable, runtime)
            changed = inputs.findings() if inputs else ()
            return dataclasses.replace(report, findings=(*report.findings, *changed))

        try:
            result = self._worker.run(checked.callable._core, args, config)
        except ChiphostError as error:
            _name_places(error, checked.callable)
            report = read(error.check_report)
            error.findings = report.findings if report else ()
            raise
        return RunResult(result, read(result.check_report), checked.gaps)

    def reset(self) -> None:
        """Close the device and forget the runtime; init() may follow. Does nothing on a worker without a runtime."""
        self._worker.reset()

    def finalize(self) -> None:
        """Close the device for good. May be called at any time and more than once."""
        self._worker.finalize()

    def cancel(self) -> None:
        """Ask the run that another thread has under way to stop; it ends with DeadlineError "INTERRUPTED".

        Returns at once. Does nothing if there is no run.
        """
        self._worker.cancel()

    def __enter__(self) -> ChipWorker:
        """Return the worker itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finalize the worker."""
        self.finalize()

    @property
    def initialized(self) -> bool:
        """True if the worker has a runtime."""
        return self._worker.initialized

    @property
    def poisoned(self) -> bool:
        """True if an earlier run never returned."""
        return self._worker.poisoned

    @property
    def device_id(self) -> int:
        """Number of the device, -1 without a runtime."""
        return self._worker.device_id

    @property
    def runtime(self) -> str | None:
        """Name of the runtime, None without one."""
        return self._worker.runtime

    @property
    def platform(self) -> str | None:
        """Name of the platform, None without a runtime."""
        return self._worker.platform

    @property
    def chip(self) -> Chip | None:
        """The platform's chip: most clusters, AICPU threads and memory; None without a runtime, or if unknown."""
        constants = self._worker.chip
        return None if constants is None else Chip(*constants)

    @property
    def isolation(self) -> str | None:
        """The isolation of the runtime: "namespace", "copy" or "process"; None without a runtime."""
        return self._worker.isolation

    @property
    def isolation_reason(self) -> str | None:
        """The reason for that isolation: for example "asked for", or what "auto" went by; None without a runtime."""
        return self._isolation_reason if self.initialized else None

    @property
    def process_id(self) -> int | None:
        """Id of the child process the runtime lives in; None without one, as after a crash until the next run."""
        return self._worker.process_id

    @property
    def fell_back(self) -> bool:
        """True if "auto" took another isolation because no namespace was left."""
        return self._worker.fell_back

    def counts(self) -> dict[str, int]:
        """Threads and libraries in the place where the runtime lives: threads, threads_free, libraries, ..."""
        return self._worker.counts()

    def __repr__(self) -> str:
        """Runtime, platform and state."""
        state = "poisoned" if self.poisoned else "ready" if self.initialized else "without a runtime"
        return f"ChipWorker({self.runtime!r}, {self.platform!r}, device_id={self.device_id}, {state})"


def _name_places(error: ChiphostError, callable: ChipCallable) -> None:
    """Put lines and names into the words of a run's error for what the runtime knows by addresses and numbers."""
    from .checks.places import Places  # a run without an error needs none of the modules below it

    places = Places(callable, [error.message, error.stall_report])
    error.reword(error.where, places.named(error.message))
    error.stall_report = places.named(error.stall_report)


def _wrong_type(argument: str, wanted: str, found: object) -> TypeError:
    return TypeError(f"{argument}: wanted {wanted}; found {type(found).__name__}")


def _integer(argument: str, value: object, most: int) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise make_error("INVALID_ARGUMENT", f"wanted an integer, found {value!r}", argument) from None
    if not 0 <= number <= most:
        bounds = f"0 to {most}" if number > most else "0 or more"
        raise make_error("INVALID_ARGUMENT", f"wanted {bounds}, found {number}", argument)
    return number


def _with(config: CallConfig, overrides: dict[str, Any]) -> CallConfig:
    changed = copy.copy(config)
    for name, value in overrides.items():
        if not hasattr(changed, name):
            raise TypeError(f"CallConfig has no field {name!r}")
        setattr(changed, name, value)
    return changed
