"""Text for docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any


def document_keys(
    typefun: Callable[..., Iterable[Any]],
    block: str = "Important:",
    prefix: str = "Samples have the following keys:",
    postfix: str = "",
) -> str:
    """A list of the keys of samples, for the docstring of a dataset.

    Parameters:
        typefun: makes a sample from its values; it is called with the value 1 for each parameter.
        block: heading of the text.
        prefix: text before the keys.
        postfix: text after the keys.
    """
    sample = typefun(*[1] * len(inspect.signature(typefun).parameters))
    keys = [f'    - ``"{key}"``' for key in sample]
    return "\n".join([block, f"    {prefix}", "", *keys, postfix])
