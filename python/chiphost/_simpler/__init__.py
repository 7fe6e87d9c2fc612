# SPDX-License-Identifier: Apache-2.0
"""Scenes that were written for the project simpler: a second kind of `Scene`, and the names that its sources need."""
