from collections.abc import Sequence


MAX_FUNC_ID: int = 1023

MAX_TASK_ARGS: int = 160

MAX_SIM_THREADS: int = 64

def error_table() -> list[tuple[int, str, str, str, str]]:
    """Rows (code, name, Python class, meaning, remedy) of the error table."""

def dtype_table() -> dict[str, int]:
    """Numbers of the supported dtypes by their NumPy names."""

def namespace_numbers() -> dict[str, int]:
    """
    How many linker namespaces this process has opened and can open, and the tunables that set the limit.
    """

class CallConfig:
    """
    How a run is executed.

    Attributes:
        block_dim: clusters in use, each 1 AIC and 2 AIV cores: 1 to 24 on a2a3, 1 to 36 on a5.
        aicpu_thread_num: AICPU scheduler threads: 1 to 4 on a2a3, 1 to 7 on a5.
        orch_thread_num: AICPU threads for orchestration; host_build_graph needs none.
        sim_threads: host threads that run the simulated processors: 1 to 64. With 1 a run is deterministic.
        seed: order in which simulated processors step: 0 is in turn, every other number an order of its own.
        trace: record what every processor did; needs sim_threads 1.
        timeout_s: wall-clock seconds after which the run is stopped; 0 waits for ever.
    """

    def __init__(self, block_dim: int = 24, aicpu_thread_num: int = 3, orch_thread_num: int = 1, *, sim_threads: int = 1, seed: int = 0, trace: bool = False, timeout_s: float = 60.0) -> None: ...

    @property
    def block_dim(self) -> int: ...

    @block_dim.setter
    def block_dim(self, value: int, /) -> None: ...

    @property
    def aicpu_thread_num(self) -> int: ...

    @aicpu_thread_num.setter
    def aicpu_thread_num(self, value: int, /) -> None: ...

    @property
    def orch_thread_num(self) -> int: ...

    @orch_thread_num.setter
    def orch_thread_num(self, value: int, /) -> None: ...

    @property
    def sim_threads(self) -> int: ...

    @sim_threads.setter
    def sim_threads(self, value: int, /) -> None: ...

    @property
    def seed(self) -> int: ...

    @seed.setter
    def seed(self, value: int, /) -> None: ...

    @property
    def trace(self) -> bool: ...

    @trace.setter
    def trace(self, arg: bool, /) -> None: ...

    @property
    def timeout_s(self) -> float: ...

    @timeout_s.setter
    def timeout_s(self, arg: float, /) -> None: ...

    def __copy__(self) -> CallConfig: ...

    def __repr__(self) -> str: ...

class Callable:
    """
    Orchestration, kernels and signature as the C++ core keeps them; see chiphost.ChipCallable.
    """

    def __init__(self, orchestration: tuple[bytes, str, str], entry: str, kernels: Sequence[tuple[int, int, tuple[bytes, str, str]]], key: str, signature: Sequence[tuple[str, str, int, Sequence[int] | None]] | None) -> None: ...

class RunResult:
    """
    What a run that succeeded says of itself.

    Attributes:
        task_count: tasks in the graph.
        orchestration_ns: time the orchestration and the checks of the graph took.
        device_ns: time from launch to completion.
        total_ns: time in the runtime, copies included.
        trace: bytes of the trace if one was asked for, otherwise None.
    """

    @property
    def task_count(self) -> int: ...

    @property
    def orchestration_ns(self) -> int: ...

    @property
    def device_ns(self) -> int: ...

    @property
    def total_ns(self) -> int: ...

    @property
    def trace(self) -> bytes | None: ...

    def __repr__(self) -> str: ...

class Worker:
    """A device context in a host runtime; see chiphost.ChipWorker."""

    def __init__(self) -> None: ...

    def init(self, host: str, aicpu: str, aicore: str, platform: str, anchor: str, isolation: str, copy_if_spent: bool, device_id: int, device_memory_bytes: int) -> None: ...

    def run(self, callable: Callable, args: Sequence[object], config: CallConfig) -> RunResult: ...

    def reset(self) -> None: ...

    def finalize(self) -> None: ...

    @property
    def initialized(self) -> bool: ...

    @property
    def poisoned(self) -> bool: ...

    @property
    def device_id(self) -> int: ...

    @property
    def runtime(self) -> str | None: ...

    @property
    def platform(self) -> str | None: ...

    @property
    def isolation(self) -> str | None: ...

    @property
    def fell_back(self) -> bool: ...

    def counts(self) -> dict[str, int]:
        """Threads and libraries of the domain the runtime lives in."""
