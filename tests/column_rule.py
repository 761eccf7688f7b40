"""The rule of ddfast.batch once more, in plain Python over decoded samples."""

import numpy as np

MISSING = object()
STACKABLE = {np.dtype(code).str for code in ("?", "b", "B")} | {
    order + name
    for order in "<>"
    for name in ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
}
NUMBERS = {bool: "bool", complex: "complex128", float: "float64", str: "str", bytes: "bytes"}


def expected_columns(samples, names=None):
    """``{name: (kind, values)}`` in order; values are a list, or an array for kinds that are one."""
    maps = [sample if isinstance(sample, dict) else {} for sample in samples]
    found = dict.fromkeys(name for sample in maps for name in sample)
    if names is not None:
        found = [name for name in dict.fromkeys(names) if name in found]
    reserved = any(is_reserved(sample) for sample in samples)
    return {
        name: expected_column(
            [sample.get(name, MISSING) for sample in maps], isinstance(name, str) and not reserved
        )
        for name in found
    }


def is_reserved(sample):
    if isinstance(sample, dict):
        return b"nd" in sample or b"complex" in sample
    return isinstance(sample, (np.ndarray, np.generic, complex))


def expected_column(values, typed):
    kind = expected_kind(values) if typed else "object"
    if kind == "array":
        return kind, np.stack([np.asarray(value) for value in values], dtype=values[0].dtype)
    if kind in ("int64", "uint64", "float64", "bool", "complex128"):
        return kind, np.array(values, dtype=kind)
    return kind, [None if value is MISSING else value for value in values]


def expected_kind(values):
    types = {type(value) for value in values}
    if any(issubclass(kind, (np.ndarray, np.generic)) for kind in types):
        return kind_of_arrays(values, types)
    if types == {int}:
        return kind_of_ints(values)
    if types == {int, float}:
        exact = all(int(float(value)) == value for value in values if type(value) is int)
        return "float64" if exact else "object"
    return NUMBERS.get(types.pop(), "object") if len(types) == 1 else "object"


def kind_of_ints(values):
    if max(values) < 2**63:
        return "int64"
    return "uint64" if min(values) >= 0 else "object"


def kind_of_arrays(values, types):
    if len(types) > 1 or any(value.dtype.str not in STACKABLE for value in values):
        return "object"
    if len({(value.dtype.str, value.shape) for value in values}) == 1:
        return "array"
    return "arrays" if types == {np.ndarray} else "object"


def same(a, b):
    """Equal in value and type, all the way down; NaN equals itself, 0.0 does not equal -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(k, m) and same(v, w) for (k, v), (m, w) in zip(a.items(), b.items(), strict=True)
        )
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b if not isinstance(a, (float, complex)) else repr(a) == repr(b)
