# SPDX-License-Identifier: Apache-2.0
"""Compiling for the simulated chip and for real ones: the jobs, the compilers, and the cache."""
