# SPDX-License-Identifier: Apache-2.0
"""What chiphost asks of the operating system: folders, processors, stacks, time."""
