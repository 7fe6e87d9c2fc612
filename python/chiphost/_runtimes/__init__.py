# SPDX-License-Identifier: Apache-2.0
"""The installed parts of the package: runtimes and platforms, and the build of runtimes from source."""
