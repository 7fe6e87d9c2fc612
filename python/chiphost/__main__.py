# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost`, started as `python -m chiphost`."""

from ._cli.program import main

if __name__ == "__main__":
    main()
