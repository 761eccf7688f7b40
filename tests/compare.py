"""Equality that tells apart what ``==`` does not: types, bits of floats, byte order, writeability."""

import struct

import numpy as np


def assert_same(ours, theirs, path="value"):
    """Assert that two decoded values are equal in every respect that a user could notice."""
    assert type(ours) is type(theirs), f"{path}: {type(ours)} is not {type(theirs)}"
    if isinstance(ours, dict):
        _assert_same_dicts(ours, theirs, path)
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs), path
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{path}[{i}]")
    elif isinstance(ours, np.ndarray):
        _assert_same_arrays(ours, theirs, path)
    elif isinstance(ours, np.generic):
        assert ours.dtype.str == theirs.dtype.str, path
        assert ours.dtype == theirs.dtype, path
        assert ours.tobytes() == theirs.tobytes(), path
    elif isinstance(ours, float):
        assert struct.pack("d", ours) == struct.pack("d", theirs), path
    elif isinstance(ours, complex):
        assert struct.pack("2d", ours.real, ours.imag) == struct.pack("2d", theirs.real, theirs.imag), path
    else:
        assert ours == theirs, path


def _assert_same_dicts(ours, theirs, path):
    assert len(ours) == len(theirs), path
    for (key, value), (their_key, their_value) in zip(ours.items(), theirs.items(), strict=True):
        assert_same(key, their_key, f"{path}, key {key!r}")
        assert_same(value, their_value, f"{path}[{key!r}]")


def _assert_same_arrays(ours, theirs, path):
    assert ours.dtype == theirs.dtype, path
    assert ours.dtype.str == theirs.dtype.str, path
    assert ours.dtype.descr == theirs.dtype.descr, path
    assert ours.shape == theirs.shape, path
    assert ours.strides == theirs.strides or ours.size == 0, path
    assert ours.flags.writeable == theirs.flags.writeable, path
    assert ours.flags.c_contiguous == theirs.flags.c_contiguous, path
    if ours.dtype.hasobject:
        assert_same(ours.tolist(), theirs.tolist(), path)
    else:
        assert ours.tobytes() == theirs.tobytes(), path
