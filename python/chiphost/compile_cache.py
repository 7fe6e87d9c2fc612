# SPDX-License-Identifier: Apache-2.0
"""The cache of compiled programs, for who wants another folder than the usual one, or to clear it."""

from ._compiling.cache import CacheStats, CompileCache

__all__ = ["CacheStats", "CompileCache"]
