# SPDX-License-Identifier: Apache-2.0
"""The cache of compiled programs, for users who want another folder than the usual one, or want to clear it."""

from ._compiling.cache import CacheStats, CompileCache

__all__ = ["CacheStats", "CompileCache"]
