# SPDX-License-Identifier: Apache-2.0
"""fifty_tanks.py PATH_OF_TANK_SO."""

from __future__ import annotations

import sys


# [copies]
def run_fifty(path: str) -> float:
    """Run fifty tanks at the same time. None of them knows of the others."""
    from concurrent.futures import ThreadPoolExecutor
    from ctypes import c_double, c_long, c_size_t

    import numpy as np

    from chiphost import isolate

    def run_one(number: int) -> float:
        with isolate.open(path, "copy", timeout_s=10) as tank:
            init = tank.function("tank_init", None, [c_double, c_double])
            run = tank.function("tank_run", c_long, [isolate.In("float64"), isolate.Out("float64"), c_size_t])
            init(100.0 * number, 0.5)
            inflow = np.array([20.0, 20.0])
            level = np.empty_like(inflow)
            run(inflow, level, len(inflow))
            return float(level[-1])

    with ThreadPoolExecutor(50) as threads:
        return sum(threads.map(run_one, range(50)))


# [copies]


# [namespaces]
def count_namespaces(path: str) -> None:
    """Open tanks in linker namespaces until this process can have no more, and then a copy."""
    from chiphost import isolate

    tanks = [isolate.open(path, "auto")]
    while not tanks[-1].fell_back:
        tanks.append(isolate.open(path, "auto"))
    print(len(tanks) - 1, "in namespaces, the next is a copy")

    result = tanks[0].close()  # a library that was closed for good gives its namespace to the next one
    print(f"{result.state}, namespace {'free again' if result.namespace_recycled else 'spent'}")
    for tank in tanks:
        tank.close()


# [namespaces]


# [errors]
def show_an_error(path: str) -> None:
    """Show that an exception of the library becomes a Python exception."""
    from ctypes import c_long, c_size_t

    import numpy as np

    import chiphost
    from chiphost import isolate

    with isolate.open(path, "copy") as tank:
        run = tank.function("tank_run", c_long, [isolate.In("float64"), isolate.Out("float64"), c_size_t])
        try:
            run(np.array([-1.0]), np.empty(1), 1)
        except chiphost.LibraryError as error:
            print(error.message)


# [errors]


# [memory]
def show_memory(path: str) -> None:
    """Build a structure with pointers in the library's memory."""
    import struct
    from ctypes import c_double, c_void_p

    import numpy as np

    from chiphost import isolate

    with isolate.open(path, "process") as tank:
        inflow = np.array([20.0, 20.0])
        values = tank.alloc(inflow.nbytes)
        values.write(inflow)
        plan = tank.alloc(16)  # struct tank_plan { const double* inflow; size_t count; }
        plan.write(struct.pack("<QQ", values.address, len(inflow)))
        print(f"{tank.function('tank_run_plan', c_double, [c_void_p])(plan):g}")


# [memory]


if __name__ == "__main__":
    print(f"total level {run_fifty(sys.argv[1]):.0f}")
    count_namespaces(sys.argv[1])
    show_an_error(sys.argv[1])
    show_memory(sys.argv[1])
