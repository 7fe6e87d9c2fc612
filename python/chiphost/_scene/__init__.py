# SPDX-License-Identifier: Apache-2.0
"""The parts of a Scene: its programs, the checks of its description, its file, and the comparison of results."""
