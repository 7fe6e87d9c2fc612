# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost`. It begins in `program`; `commands` lists its commands, each of which has a module."""
