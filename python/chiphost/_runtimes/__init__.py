# SPDX-License-Identifier: Apache-2.0
"""What is installed: the parts of the package, the runtimes, and how runtimes are built from source."""
