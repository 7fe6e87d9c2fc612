# SPDX-License-Identifier: Apache-2.0
"""Scenes in folders: how they are found, compiled and run, and their results."""
