"""When two samples are the same."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_same_sample(ours: Any, expected: Any, path: str = "sample") -> None:
    """Assert that two samples are equal, type for type; NaN equals NaN, and order in dicts counts.

    Parameters:
        ours: what a reader gave.
        expected: what it should have given.
        path: what to call the value if they differ.

    Raises:
        AssertionError: they differ; the message says where.
    """
    assert type(ours) is type(expected), f"{path} is {type(ours).__name__}, not {type(expected).__name__}"
    if isinstance(expected, dict):
        assert list(map(repr, ours)) == list(map(repr, expected)), f"{path} has fields {list(ours)}, not {list(expected)}"
        for (name, value), wanted in zip(ours.items(), expected.values(), strict=True):
            assert_same_sample(value, wanted, f"{path}[{name!r}]")
    elif isinstance(expected, list | tuple):
        assert len(ours) == len(expected), f"{path} has {len(ours)} items, not {len(expected)}"
        for i, (value, wanted) in enumerate(zip(ours, expected, strict=True)):
            assert_same_sample(value, wanted, f"{path}[{i}]")
    elif isinstance(expected, np.ndarray | np.generic):
        assert ours.dtype == expected.dtype, f"{path} has dtype {ours.dtype}, not {expected.dtype}"
        assert ours.shape == expected.shape, f"{path} has shape {ours.shape}, not {expected.shape}"
        assert repr(ours.tolist()) == repr(expected.tolist()), f"{path} has other values"
    else:
        assert repr(ours) == repr(expected), f"{path} is {ours!r}, not {expected!r}"
