# SPDX-License-Identifier: Apache-2.0
"""Audits of shared libraries: how they can be isolated, and what stands in the way. Files are read, never loaded."""

from .._strategies import STRATEGIES, Strategy
from .finding import Answer, Finding, Use
from .verdict import Audit, Choice, Verdict, audit

__all__ = ["STRATEGIES", "Answer", "Audit", "Choice", "Finding", "Strategy", "Use", "Verdict", "audit"]
