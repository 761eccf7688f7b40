"""The code that calls ddfast, for warnings."""

from __future__ import annotations

import sys

__all__ = ["level_of_caller"]


def level_of_caller() -> int:
    """The `stacklevel` for `warnings.warn` that points to the caller of ddfast."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] in (
        "ddfast",
        "functools",
    ):
        level, frame = level + 1, frame.f_back
    return level
