# SPDX-License-Identifier: Apache-2.0
"""Scenes in folders: found, compiled, run, and what came of them."""
