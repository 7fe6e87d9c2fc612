# SPDX-License-Identifier: Apache-2.0
"""Compiling for the simulated chip and for real ones: what is to be done, by which compiler, and the cache."""
