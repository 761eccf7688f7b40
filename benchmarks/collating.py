"""Samples as columns, made by plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Columns of at least one sample: numbers and equal arrays become one array, other values a list."""
    return {name: column([sample[name] for sample in samples]) for name in samples[0]}


def column(values: list[Any]) -> Any:
    """One column of `collate`."""
    if isinstance(values[0], np.ndarray):
        return np.stack(values)
    if isinstance(values[0], int | float):
        return np.array(values)
    return values
