# SPDX-License-Identifier: Apache-2.0
"""Programs that say what they read and write: their compile, and what it cannot instrument."""
