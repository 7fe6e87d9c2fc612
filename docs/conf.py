# SPDX-License-Identifier: Apache-2.0
"""The documentation site: sphinx-build -W --keep-going docs build/site. It needs no network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "site"))

project = "chiphost"
copyright = "the chiphost authors, Apache License 2.0"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "reference",
    "repository",
    "rows",
]

# Pages: Markdown. Headings are anchors, and a link to a page or an anchor that is not there is a warning.
myst_heading_anchors = 4
smartquotes_action = "D"  # dashes only: quotes here are code
highlight_language = "none"  # of blocks that name no language: what programs print
suppress_warnings = ["misc.highlighting_failure"]  # of C++ that the highlighter does not know; it is shown all the same

# The Python reference: from the docstrings of the installed chiphost.
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
add_module_names = False
python_maximum_signature_line_length = 70
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "code"

# Looks. Fonts are the reader's own: a page asks nobody but its own server for anything.
html_theme = "furo"
html_title = "chiphost"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_favicon = "site/static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
exclude_patterns = ["site"]
