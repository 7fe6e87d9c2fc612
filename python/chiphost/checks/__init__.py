# SPDX-License-Identifier: Apache-2.0
"""What `--check` finds, and what it cannot see."""
