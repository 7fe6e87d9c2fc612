# SPDX-License-Identifier: Apache-2.0
"""`python -m chiphost` is the program `chiphost`."""

from ._cli.program import main

if __name__ == "__main__":
    main()
