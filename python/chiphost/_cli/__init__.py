# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost`. It begins in `program`; `commands` says what it can be asked; each command has a module."""
