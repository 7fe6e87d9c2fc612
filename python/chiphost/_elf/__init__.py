# SPDX-License-Identifier: Apache-2.0
"""ELF files, read and never loaded: one file, the libraries it needs, and the arguments that its code passes."""
