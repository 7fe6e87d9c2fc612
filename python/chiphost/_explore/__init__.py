# SPDX-License-Identifier: Apache-2.0
"""Exploration of schedules: many orders of one run, a bound that says what was found out, and failures made small."""
