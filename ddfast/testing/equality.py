"""Comparison of samples."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_same_sample(ours: Any, expected: Any, path: str = "sample") -> None:
    """Assert that two samples are equal in types, values and order of dicts; NaN equals NaN.

    Parameters:
        ours: the sample that a reader returned.
        expected: the expected sample.
        path: name of the value in the message.

    Raises:
        AssertionError: they differ; the message names the position.
    """
    assert type(ours) is type(expected), f"{path} is {type(ours).__name__}, not {type(expected).__name__}"
    if isinstance(expected, dict):
        assert list(map(repr, ours)) == list(map(repr, expected)), (
            f"{path} has fields {list(ours)}, not {list(expected)}"
        )
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
