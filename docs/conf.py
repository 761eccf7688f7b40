"""Sphinx configuration. Build without the network: ``python -m sphinx -W -b html docs docs/_build/html``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

project = "ddfast"
html_title = "ddfast"
copyright = "the authors of ddfast"
needs_sphinx = "8.1"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "names", "stubs", "commands"]
exclude_patterns = ["_build", "_ext"]

# -- pages

myst_heading_anchors = 3
smartquotes = False  # keep --option unchanged
html_theme = "furo"
html_static_path: list[str] = []
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

# -- reference

nitpicky = True
nitpick_ignore = [  # bases and variables that the reference does not describe
    ("py:class", "ddfast.loading.batched.BatchesT_co"),
    ("py:class", "ddfast.reader.augment.base.PositionedAugment"),
    ("py:class", "ddfast.reader.augment.repeat._Repeated"),
]
maximum_signature_line_length = 80
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "special-members": "__getitem__, __contains__"}
autodoc_type_aliases = {"ArrayLike": "ArrayLike"}
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

# Optional packages that are not installed.
autodoc_mock_imports = [name for name in ("torch", "pytest") if importlib.util.find_spec(name) is None]
if importlib.util.find_spec("ddfast.torch") is None:
    exclude_patterns.append("api/torch.md")
