"""Names in single backticks in docstrings: links if they name a documented object, otherwise code.

Docstrings write `AsyncReader` for a class in any module. Sphinx finds names of the module or class
that a docstring belongs to; this extension finds other names, if exactly one object has the name.
"""

from __future__ import annotations

import builtins
import re
from typing import Any

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

TYPE_VARIABLE = r"ddfast\..*\.[A-Z](_co|_contra)?"

# Names of other packages and internal names, which no page documents. All other names must be found.
ELSEWHERE = [
    ("py:obj", r".*"),
    ("py:.*", r"(?!ddfast).*"),
    ("py:.*", r"ddfast\._native\..*"),
    ("py:class", TYPE_VARIABLE),
    (
        "py:class",
        r"ddfast\.reader\.(dataset\.DatasetReader|augment\.\w+\.(PlacedAugment|_Again))",
    ),  # intermediate base classes
    ("py:class", r"ddfast\.annotated\.(boxes\.BoxShape|shapes\.PointShape|item\.MediaT)"),
]


def find(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """The link for a class or a dotted name, whatever module it is documented in."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not (target[:1].isupper() or "." in target):
        return None
    python = env.domains.python_domain
    wanted = "." + target.removeprefix("ddfast.")
    found = [name for name in python.objects if name.startswith("ddfast.") and name.endswith(wanted)]
    documented = [name for name in found if not python.objects[name].aliased]
    if len(documented) != 1:
        return None
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", documented[0], node, content)


def leave_builtins(app: Sphinx, document: Element) -> None:
    """Leave the types of Python without links: Sphinx would take ``bytes`` for a property of this name."""
    for node in list(document.findall(pending_xref)):
        if node.get("reftype") == "class" and hasattr(builtins, node.get("reftarget", "")):
            node.replace_self(node.children)


def name_defaults(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    """Show a default that is a function by its name, instead of its repr with the memory address."""
    if signature is None:
        return None
    return re.sub(
        r"<(?:function|class|built-in function) '?([\w.]+)'?(?: at 0x\w+)?>", r"\1", signature
    ), returned


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.config.default_role = "py:obj"
    app.config.nitpick_ignore_regex = ELSEWHERE
    app.connect("doctree-read", leave_builtins)
    app.connect("missing-reference", find)
    app.connect(
        "autodoc-process-signature", name_defaults, priority=900
    )  # after the handlers that create signatures
    return {"parallel_read_safe": True, "parallel_write_safe": True}
