# SPDX-License-Identifier: Apache-2.0
"""The conformance suite, which tries out what a platform must do."""
