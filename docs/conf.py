"""Configuration of the site: ``sphinx-build -W --keep-going -n -b html docs build/site``.

galgen has to be installed, or on ``PYTHONPATH`` as ``.:kernels``: docstrings are read from it.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

from galgen import __version__

project = "galgen"
author = "The galgen developers"
copyright = "the galgen developers"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"  # with the fonts of the system
html_title = f"galgen {release}"
html_show_copyright = False
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types, with shapes
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_preprocess_types = False
default_role = "py:obj"  # single backticks link where there is a page, and are code elsewhere

nitpick_ignore_regex = [
    # Single backticks also name parameters, columns and private modules, which have no pages.
    ("py:obj", r".*"),
    # Types in docstrings are prose, "ndarray (n, b) float32", or names of other packages, whose
    # inventories would need a network. What begins with galgen has to be there.
    ("py:class", r"(?!galgen).*"),
]


def _link_outside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Pages that are not of the site, such as ../CONTRIBUTING.md, are downloads."""
    up = r"\.\./" * (docname.count("/") + 1)
    source[0] = re.sub(rf"\]\(({up}[^)#\s]+\.md)(#[^)\s]*)?\)", r"](path:\1)", source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", _link_outside)
