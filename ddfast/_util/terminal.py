"""Whether a stream is a terminal that shows progress."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["is_hidden"]


def is_hidden(disable: bool | None = False, file: Any = None, **_: Any) -> bool:
    """Whether a progress bar is not shown; the arguments are those of tqdm.

    Parameters:
        disable: whether it is disabled; None to show it on a terminal only.
        file: the stream; None for stderr.
    """
    if disable is not None:
        return bool(disable)
    stream = sys.stderr if file is None else file
    return not (hasattr(stream, "isatty") and stream.isatty())
