# SPDX-License-Identifier: Apache-2.0
"""The conformance suite: what a platform must do, tried out."""
