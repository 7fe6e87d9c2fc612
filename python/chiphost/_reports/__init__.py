# SPDX-License-Identifier: Apache-2.0
"""Reports for programs: the files they are written to, JSON, and JUnit XML."""
