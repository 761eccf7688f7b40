"""Old names of this package, which work for one version more."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["RENAMED", "with_old_names"]

# The new name of each old one.
RENAMED = {
    "CacheTraffic": "CacheCounters",
    "Front": "SequentialReader",
    "Neighbours": "ObjectGroup",
    "Policy": "RetryPolicy",
    "Traffic": "TransferCounters",
    "open_neighbours": "open_group",
}


def with_old_names(package: str, get: Callable[[str], Any]) -> Callable[[str], Any]:
    """A ``__getattr__`` of the package that returns the new name for an old one, with a DeprecationWarning.

    Parameters:
        package: its name.
        get: gives its other names.
    """

    def get_or_warn(name: str) -> Any:
        if name not in RENAMED:
            return get(name)
        message = f"{package}.{name} is deprecated, use {package}.{RENAMED[name]}"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return get(RENAMED[name])

    return get_or_warn
