# SPDX-License-Identifier: Apache-2.0
"""ELF files, read and never loaded: one file, what it needs, what its code passes on."""
