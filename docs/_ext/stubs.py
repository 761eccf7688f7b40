"""Docstrings and signatures of native classes, taken from their ``.pyi`` files."""

from __future__ import annotations

import ast
import importlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

NATIVE = "ddfast._native."
Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def stub(module: str) -> dict[str, Node]:
    """Classes and functions of a module's stub by qualified name; of overloads, the last."""
    path = Path(inspect.getfile(importlib.import_module(module)))
    source = path.with_name(path.name.partition(".")[0] + ".pyi")
    found: dict[str, Node] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, Node):
                found[prefix + node.name] = node
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")

    visit(ast.parse(source.read_text(encoding="utf-8")).body, "")
    return found


def module_of(thing: Any) -> str:
    """The module that a class, a function, a method or a property is from."""
    owner = getattr(thing, "__objclass__", thing)
    return getattr(owner, "__module__", None) or ""


def node_of(thing: Any) -> Node | None:
    """Where a native class or method is declared."""
    module = module_of(thing)
    if not module.startswith(NATIVE):
        return None
    owner = getattr(thing, "__objclass__", None)
    name = f"{owner.__qualname__}.{thing.__name__}" if owner else thing.__qualname__
    return stub(module).get(name)


def add_docstring(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Give a native thing the docstring of its stub."""
    node = node_of(thing)
    if node is not None and not any(lines):
        lines[:] = (ast.get_docstring(node) or "").splitlines()


def add_signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    """Give a native function the signature of its stub."""
    node = node_of(thing)
    if not isinstance(node, Function):
        return None
    arguments = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    return f"({arguments})", ast.unparse(node.returns) if node.returns else ""


def keep(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Include exactly what the stub documents."""
    if not module_of(thing).startswith(NATIVE):
        return None
    node = node_of(thing)
    return node is None or not ast.get_docstring(node)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", add_docstring, priority=1)  # before napoleon reads it
    app.connect("autodoc-process-signature", add_signature)
    app.connect("autodoc-skip-member", keep)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
