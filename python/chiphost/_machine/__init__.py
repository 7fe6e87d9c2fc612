# SPDX-License-Identifier: Apache-2.0
"""What this machine can do, for `chiphost doctor`: it is looked at and tried."""
