# SPDX-License-Identifier: Apache-2.0
"""The commands of the program `chiphost`, one module each.

The modules import little before a command runs, so that `chiphost --help` answers at once.
"""
