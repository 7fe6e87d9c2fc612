# SPDX-License-Identifier: Apache-2.0
"""chiphost's use of the operating system: folders, processors, stacks, time."""
