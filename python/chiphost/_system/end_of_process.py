# SPDX-License-Identifier: Apache-2.0
"""The end of the process: whoever calls the C++ core from several threads imports this module."""

from __future__ import annotations

import atexit

from .. import _core
from ..errors import make_error

# Python does not survive its own end while another thread is in the C++ core.
atexit.register(_core.end_calls, make_error("INTERRUPTED", "the process is ending", "worker"))
