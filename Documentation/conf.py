# SPDX-License-Identifier: GPL-2.0
"""What Sphinx needs to know; see scripts/docs."""

# pylint: disable=invalid-name
project = "tpmrm"
root_doc = "index"
nitpicky = True
html_theme = "alabaster"
html_theme_options = {"page_width": "68em", "fixed_sidebar": True}
# Captured screens and the like are included by pages.
exclude_patterns = ["*.txt"]
