"""Public names that were renamed or moved to another package, and can be used under the old name for one version."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["moved_names", "warn_renamed"]


def moved_names(
    module: str, names: Mapping[str, str], others: Callable[[str], Any] | None = None
) -> Callable[[str], Any]:
    """``__getattr__`` of a module that imports the new name for an old one, with a DeprecationWarning.

    Parameters:
        module: the module that had the names.
        names: full new name by old name.
        others: called with any other name; None to raise AttributeError.
    """

    def get(name: str) -> Any:
        if name in names:
            message = f"{module}.{name} is deprecated, use {names[name]}"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            package, _, new_name = names[name].rpartition(".")
            return getattr(import_module(package), new_name)
        if others is not None:
            return others(name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get


def warn_renamed(old: str, new: str) -> None:
    """Warn the caller of a function that it was called by its old name."""
    warnings.warn(f"{old} is deprecated, use {new}", DeprecationWarning, stacklevel=3)
