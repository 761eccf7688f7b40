"""Names of a package that are imported on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["from_stub"]


def from_stub(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package whose ``__init__.pyi`` imports its public names.

    The stub begins with statements of the form ``from .module import names`` and nothing else. It is not parsed with
    `ast`, because importing that module takes as long as opening a dataset.
    """
    stub = Path(str(sys.modules[package].__file__)).with_suffix(".pyi")
    statements = stub.read_text(encoding="utf-8").partition("\n__all__")[0]
    origins: dict[str, str] = {}
    for statement in ("\n" + statements).split("\nfrom ")[1:]:
        module, _, names = statement.partition(" import ")
        origins.update((name.strip(), module) for name in names.strip("()\n ,").split(","))

    def get(name: str) -> Any:
        if name not in origins:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(origins[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted(origins), sorted(origins)
