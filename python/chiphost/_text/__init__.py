# SPDX-License-Identifier: Apache-2.0
"""Words: text from outside made fit to be shown, and suggestions for misspelt names."""
