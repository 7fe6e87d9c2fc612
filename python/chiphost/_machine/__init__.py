# SPDX-License-Identifier: Apache-2.0
"""The abilities of this machine, for `chiphost doctor`: it is looked at and tried."""
