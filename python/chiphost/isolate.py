# SPDX-License-Identifier: Apache-2.0
"""Shared libraries with globals, as often as wanted: every open gives an instance of its own.

    from ctypes import c_double, c_int, c_size_t
    from chiphost import isolate

    with isolate.open("./libsimulator.so") as library:
        step = library.function("step", c_double, [c_int, isolate.In("float64"), c_size_t])
        energy = step(3, forces, len(forces))

The library's code runs on a thread that belongs to the instance, never on the caller's; the GIL is free meanwhile.
Calls of one instance are made one after the other, those of different instances at the same time.

With strategy="process" that thread is in a child process: whatever happens there is an exception here. Buffers and
texts are copied there for the time of a call; the library must not keep their addresses.

Some arguments cannot be described by a type, such as a structure with pointers to more memory. They are built in memory
of the library's own, in the same way with all strategies:

    values = library.alloc(8 * len(forces))
    values.write(forces)
    request = library.alloc(16)
    request.write(struct.pack("<QQ", values.address, len(forces)))
    energy = library.function("energy", c_double, [c_void_p])(request)
"""

from __future__ import annotations

import builtins
import ctypes
import functools
import inspect
import operator
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal

from . import _core
from ._runtimes import runtimes
from ._runtimes.strategy import choose_strategy
from ._strategies import STRATEGIES
from ._system import end_of_process as _end_of_process  # noqa: F401 (it ends calls with the process)
from ._system.stacks import stack_bytes_or_default
from .errors import LoadError, make_error
from .signature import Dtype, dtype_name

__all__ = ["Buffer", "CloseResult", "Function", "In", "InOut", "Library", "Memory", "Out", "Pin", "open"]

_DTYPES: Final[dict[str, int]] = _core.dtype_table()
_NO_CALLBACKS: Final = (
    "a function of this program cannot be called by an isolated library: the library runs on a thread of its own, "
    "where Python and other libraries of this program would find thread-specific data that is not theirs"
)


@dataclass(frozen=True)
class Buffer:
    """A parameter that points to elements in the caller's memory; made by `In`, `Out` and `InOut`.

    Arguments for it are NumPy arrays, bytes, bytearray, memoryview, and whatever else has the buffer protocol or
    DLPack; C-contiguous, in place, without a copy. None is a null pointer.

    Attributes:
        direction: what the function does with the elements.
        dtype: NumPy or ml_dtypes name of the elements; None accepts every supported one.
    """

    direction: Literal["in", "out", "inout"]
    dtype: str | None = None


def In(dtype: Dtype | None = None) -> Buffer:
    """Elements that the function reads."""
    return _buffer("in", dtype)


def Out(dtype: Dtype | None = None) -> Buffer:
    """Elements that the function writes."""
    return _buffer("out", dtype)


def InOut(dtype: Dtype | None = None) -> Buffer:
    """Elements that the function reads and writes."""
    return _buffer("inout", dtype)


@dataclass(frozen=True)
class Pin:
    """The reason why a part of a closed library is left.

    Attributes:
        cause: "unique symbol", "DF_1_NODELETE", "thread_local with a destructor", "needed by", "opened elsewhere",
            "running thread", "call that never returned" or "threads cannot be listed".
        object: path of what is left.
        what: the symbol, object, thread or function; may be empty.
    """

    cause: str
    object: str
    what: str


@dataclass(frozen=True)
class CloseResult:
    """The result of closing a library.

    Attributes:
        state: "unloaded": nothing of it is left, nor of the libraries it brought along; "kept": it was not unloaded on
            purpose, because something of it still runs; "pinned": the dynamic loader does not let go of it.
        pins: why; empty if unloaded.
        namespace_recycled: whether the next open may have its linker namespace. Otherwise that stays spent.
    """

    state: Literal["unloaded", "kept", "pinned"]
    pins: tuple[Pin, ...]
    namespace_recycled: bool


class Function:
    """A function of an open library, called like any other. Keeps the library open; may be called from any thread."""

    def __init__(self, core: _core.LibraryFunction, signature: str) -> None:
        self._core = core
        self._signature = signature

    def __call__(self, *values: Any, timeout_s: float | None = None) -> Any:
        """Call it and return its result.

        Args:
            *values: one for each parameter. What they refer to must not change its size meanwhile.
            timeout_s: seconds after which the call is given up; 0: never; None: what `Library.function` was given.

        Raises:
            ArgumentError: the values do not fit the signature; nothing was called.
            LibraryError: an exception came out of the function.
            DeadlineError: it did not return in time. The library is poisoned, its thread left behind, and what it was
                given stays in use for ever; or its process is killed. Ctrl-C does the same, and raises
                KeyboardInterrupt.
            ProcessError: the library's process came to its end, with strategy="process". The library is poisoned; its
                globals are gone.
            StateError: the library was closed, is poisoned, or was opened in another process.
        """
        return self._core(*values, timeout_s=timeout_s)

    @property
    def name(self) -> str:
        """Name of the function."""
        return self._core.name

    def __repr__(self) -> str:
        """Name and types."""
        return f"Function({self.name}{self._signature})"


class Memory:
    """A block of memory on a library's side; made by `Library.alloc`. May be used from any thread.

    It lives until `free`, or until the library is closed, whether or not there is a handle of it, and keeps no library
    open. chiphost has made it and frees it: the library must not. Memory that a call that never returned, or a thread
    that is left, may still use is never freed.

    A c_void_p argument takes it as it is. Every method that does something waits for the call of the library that is
    under way, as long as the library's timeout says. It raises the errors of `Function`, and ArgumentError for a range
    that does not lie in the block, or after `free`; nothing is done then.
    """

    def __init__(self, core: _core.LibraryMemory) -> None:
        self._core = core

    @property
    def address(self) -> int:
        """Address for the library, aligned to 64 bytes: to be written into other blocks, or passed on with an offset.

        With strategy="process" it means nothing in this process.
        """
        return self._core.address

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return self._core.bytes

    def write(self, data: Any, offset: int = 0) -> None:
        """Copy bytes or a C-contiguous array into the block, from byte `offset` of it on."""
        self._core.write(data, _byte_count(offset, "write: offset"))

    def read(self, bytes: int | None = None, offset: int = 0) -> builtins.bytes:
        """Return `bytes` bytes of the block, from byte `offset` of it on; None: all that follow."""
        count = None if bytes is None else _byte_count(bytes, "read: bytes")
        return self._core.read(count, _byte_count(offset, "read: offset"))

    def read_into(self, array: Any, offset: int = 0) -> None:
        """Fill a bytearray or a C-contiguous array from the block, from byte `offset` of it on."""
        self._core.read_into(array, _byte_count(offset, "read_into: offset"))

    def free(self) -> None:
        """Give the block back. The library must not refer to it any more. A second call does nothing."""
        self._core.free()

    def __repr__(self) -> str:
        """Address and size."""
        return f"Memory(0x{self.address:x}, {self.bytes} bytes)"


class Library:
    """An instance of a library; made by `open`. May be used from any thread. As a context manager it closes itself."""

    def __init__(self, core: _core.Library, strategy_reason: str, fell_back: bool) -> None:
        self._core = core
        self._strategy_reason = strategy_reason
        self._fell_back = fell_back

    def function(
        self, name: str, restype: Any = None, argtypes: Sequence[Any] = (), *, timeout_s: float | None = None
    ) -> Function:
        """A function of the library, with the types that its C declaration has. Nobody can check them.

        Args:
            name: symbol that the library exports, with C linkage.
            restype: type of the result; None: void. A c_char_p is returned as bytes, a c_void_p as int or None.
            argtypes: types of the parameters. Numbers are ctypes' c_bool, c_int, c_double and so on; c_char_p takes
                bytes, c_void_p takes addresses that the library returned; In, Out and InOut describe memory of yours.
            timeout_s: deadline of every call; 0: none; None: the library's.

        Raises:
            LoadError: the library has no such symbol.
            ArgumentError: a type cannot be passed: structures by value, callbacks, variadic functions, long double.
            StateError: as `Function` does.
        """
        result = _describe(restype, f"result of {name}", result=True)
        parameters = [_describe(kind, f"argument {at} of {name}") for at, kind in enumerate(argtypes, 1)]
        text = f"({', '.join(label for _, _, label in parameters)}) -> {result[2]}"
        return Function(self._core.function(name, result, parameters, timeout_s), text)

    def alloc(self, bytes: int) -> Memory:
        """Memory in which the library may keep what it likes, all zero; see `Memory`.

        Raises ArgumentError for less than 1 byte, DeviceMemoryError (HOST_MEMORY_EXHAUSTED) if there is not so much,
        and what `Function` does.
        """
        return Memory(self._core.alloc(_byte_count(bytes, "alloc: bytes")))

    def close(self, *, timeout_s: float | None = None) -> CloseResult:
        """Unload the library as far as possible, and say how far that was. A second call returns the same result.

        Its destructors run on its own thread. timeout_s: as in a call. Raises DeadlineError and StateError.
        """
        state, pins, recycled = self._core.close(timeout_s)
        return CloseResult(state, tuple(Pin(*pin) for pin in pins), recycled)  # type: ignore[arg-type]

    @property
    def path(self) -> str:
        """Path of the file."""
        return str(self._core.path)

    @property
    def strategy(self) -> str:
        """The strategy that isolates the library: "namespace", "copy" or "process"."""
        return self._core.strategy

    @property
    def strategy_reason(self) -> str:
        """The reason for that strategy: for example "asked for", or what "auto" went by."""
        return self._strategy_reason

    @property
    def process_id(self) -> int | None:
        """Id of the child process that the library lives in; None without one, or when that has ended."""
        return self._core.process_id

    @property
    def fell_back(self) -> bool:
        """True if "auto" took another strategy than the audit's first, because this process has no room left for it."""
        return self._fell_back

    @property
    def poisoned(self) -> bool:
        """True if a call never returned, or the library's process came to its end."""
        return self._core.poisoned

    def __enter__(self) -> Library:
        """Return the library itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Path and strategy."""
        return f"Library({self.path!r}, strategy={self.strategy!r})"


def open(
    path: str | os.PathLike[str],
    strategy: str | None = None,
    *,
    default_lookup: bool = False,
    stack_bytes: int = 0,
    timeout_s: float | None = None,
) -> Library:
    """Load an instance of a shared library, apart from this process and from all other instances.

    Args:
        path: the file.
        strategy: "namespace" (a linker namespace of its own, with its own libc; a process has some ten), "copy" (a
            private copy of the file; as many as wanted; the libraries it depends on are shared), "process" (a child
            process; a crash or an exit there is an exception here), "auto" (the first of these that an audit of the
            file allows and this process has room for; see Library.strategy_reason); None: the default of this system.
        default_lookup: whether dlsym(RTLD_DEFAULT, name) finds the library's symbols, and those of what it needs, for
            whoever asks beside it: for what it loads with dlopen, as well. Without it that finds the C and C++
            libraries, and what the asker itself was loaded with. A copy cannot have it.
        stack_bytes: stack of the thread that runs the library's code, at least; 0: CHIPHOST_STACK_BYTES, or as much as
            a program's first thread has (see the settings).
        timeout_s: deadline of loading, of every call and of closing; 0 or None: none.

    Raises:
        ArgumentError: there is no such strategy, or default_lookup was asked for with a copy.
        LoadError: the file is no library for this machine, or the dynamic loader refuses it.
        IsolationError: the isolation is not to be had: NAMESPACES_SPENT, STATIC_TLS_SPENT and the like.
        ProcessError: the child process ended while the library's constructors ran.
    """
    chosen, reason = choose_strategy(strategy, argument="strategy")
    load = functools.partial(_load, path, stack_bytes_or_default(stack_bytes), default_lookup, timeout_s)
    if strategy == "auto":
        return _open_audited(path, load, default_lookup)
    return Library(load(chosen), reason, fell_back=False)


def _load(
    path: str | os.PathLike[str], stack_bytes: int, default_lookup: bool, timeout_s: float | None, strategy: str
) -> _core.Library:
    anchor, child = runtimes.anchor_path(), runtimes.child_path()
    return _core.Library(os.fspath(path), anchor, child, strategy, stack_bytes, default_lookup, timeout_s)


def _open_audited(path: str | os.PathLike[str], load: Callable[[str], _core.Library], default_lookup: bool) -> Library:
    """Open with "auto": with the first strategy that the audit allows and this process still has room for."""
    from .audit import audit  # takes its time: only "auto" waits for it

    unavailable = _core.namespaces_unavailable()
    verdicts = audit(path, default_lookup=default_lookup).verdicts
    out: dict[str, str] = {}
    refused: LoadError | None = None
    for strategy in STRATEGIES:
        reasons = verdicts[strategy].reasons
        if strategy == "namespace" and unavailable:
            out[strategy] = unavailable
        elif verdicts[strategy].answer == "no":
            out[strategy] = ", ".join(reasons)
        else:
            how = f"{strategy} works with care ({', '.join(reasons)})" if reasons else f"{strategy} works"
            try:
                return Library(load(strategy), _explain(out, how), refused is not None)
            except LoadError as error:
                if error.name not in _NO_ROOM:
                    raise
                out[strategy] = f"{error.name}: {error.message}"
                refused = error
    if refused:
        raise refused
    # Loading it in a child says what is wrong, and harms nobody there.
    return Library(load("process"), _explain(out), fell_back=False)


# Errors after which another strategy may work: this process has used up what the first one needs, or knows something
# that the audit cannot see.
_NO_ROOM: Final = ("NAMESPACES_SPENT", "STATIC_TLS_SPENT", "UNIQUE_SYMBOL", "VARIABLE_SHARED", "ISOLATION_UNAVAILABLE")


def _explain(out: dict[str, str], *how: str) -> str:
    return "auto: " + "; ".join([*(f"{strategy} is out ({why})" for strategy, why in out.items()), *how])


def _byte_count(value: Any, where: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise make_error("INVALID_ARGUMENT", f"wanted a number of bytes, 0 or more; found {value!r}", where)
    return number


def _buffer(direction: Literal["in", "out", "inout"], dtype: Any) -> Buffer:
    if isinstance(dtype, type) and issubclass(dtype, ctypes._SimpleCData):
        kind, number, label = _describe(dtype, direction)
        if kind != "scalar":
            raise make_error("ARGUMENT_DTYPE", f"wanted a type of numbers, found {label}", direction)
        dtype = next(name for name, other in _DTYPES.items() if other == number)
    elif dtype is not None:
        dtype = dtype_name(dtype, direction)
    if dtype is not None and dtype not in _DTYPES:
        raise make_error("ARGUMENT_DTYPE", f"wanted one of {', '.join(_DTYPES)}; found {dtype!r}", direction)
    return Buffer(direction, dtype)


def _describe(kind: Any, where: str, *, result: bool = False) -> tuple[str, int, str]:
    """A type in the form that _core takes: (kind, dtype, label)."""
    if isinstance(kind, Buffer):
        if result:
            raise _unsupported(where, "a result cannot be a buffer, whose length nobody would know; return a c_void_p")
        dtype = -1 if kind.dtype is None else _DTYPES[kind.dtype]
        marker = {"in": "In", "out": "Out", "inout": "InOut"}[kind.direction]
        return (kind.direction, dtype, f"{marker} {kind.dtype or 'of any dtype'}")
    if kind is None and result:
        return ("void", -1, "None")
    if kind is Ellipsis:
        raise _unsupported(where, "variadic functions are called in a way of their own")
    if not isinstance(kind, type):
        if inspect.isroutine(kind):
            raise _unsupported(where, _NO_CALLBACKS)
        raise _unsupported(where, f"wanted a ctypes type or In, Out, InOut; found {kind!r}")
    if kind is ctypes.c_void_p:
        return ("pointer", -1, "c_void_p")
    if kind is ctypes.c_char_p:
        return ("text", -1, "c_char_p")
    if issubclass(kind, ctypes._CFuncPtr):  # type: ignore[attr-defined]
        raise _unsupported(where, _NO_CALLBACKS)
    if issubclass(kind, (ctypes.Structure, ctypes.Union)):
        raise _unsupported(where, f"{kind.__name__} is a structure by value; pass a pointer to it, as In('uint8')")
    if issubclass(kind, (ctypes._Pointer, ctypes.Array)):
        raise _unsupported(where, f"{kind.__name__} does not say who writes; describe it as In, Out or InOut")
    if issubclass(kind, ctypes._SimpleCData) and (number := _number(kind)) is not None:
        return ("scalar", number, kind.__name__)
    wanted = "a ctypes number, c_char_p, c_void_p or a buffer"
    raise _unsupported(where, f"{kind.__name__} has no counterpart; wanted {wanted}")


def _number(kind: type[ctypes._SimpleCData[Any]]) -> int | None:
    """The dtype of a ctypes number."""
    code = getattr(kind, "_type_", "")
    bits = 8 * ctypes.sizeof(kind)
    if code == "?":
        return _DTYPES["bool"]
    if code in "fd":
        return _DTYPES[f"float{bits}"]
    if code in "bhilq":
        return _DTYPES[f"int{bits}"]
    if code in "BHILQ":
        return _DTYPES[f"uint{bits}"]
    return None


def _unsupported(where: str, message: str) -> Exception:
    return make_error("SIGNATURE_UNSUPPORTED", message, where)
