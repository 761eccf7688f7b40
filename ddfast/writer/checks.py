"""Why a sample cannot be packed, or would be read back as something else.

These checks take longer than packing, and are made only for samples that the native code has refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgpack import ExtType  # type: ignore[import-untyped]

from ddfast._native.decode import MAX_RARE_KEYS
from ddfast._util.nd import stands_for_value
from ddfast.tools.msgpack import packb, unpackb

# Keys of exactly these types are hashable when read back, and equal only if they were equal before.
_SAFE_KEYS = {str, bytes, int, bool, float, type(None)}
_COMMON_KEYS = {*_SAFE_KEYS, ExtType}  # readers limit the number of all others

# Where a value is in a sample: the place of its container, and the subscript there.
_Place = tuple[Any, str] | None


def find_unpackable(sample: Any) -> str | None:
    """Which value of a sample cannot be packed, and why; None if it is not a single value."""
    stack: list[tuple[_Place, Any]] = [(None, sample)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, (dict, list, tuple)):
            stack.extend(reversed(list(_items(place, value))))
        elif (reason := _pack_error(value)) is not None:
            return f"{_name(place)} {reason}"
    return None


def find_changed(sample: Any) -> str | None:
    """Why a sample would not be read back unchanged, and what to do; None if it would."""
    stack: list[tuple[_Place, Any]] = [(None, sample)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, dict):
            reason = _changed_map(value)
            if reason is not None:
                return f"would be read back as something else: {_name(place)} {reason}. Rename the key"
            if sum(type(key) not in _COMMON_KEYS for key in value) > MAX_RARE_KEYS:
                return (
                    f"could not be read back: {_name(place)} has more than {MAX_RARE_KEYS:,} keys that are complex "
                    "numbers, numpy scalars or times. Use strings as keys"
                )
            items: Any = value.items()
        else:
            items = enumerate(value)
        stack.extend(
            ((place, f"[{key!r}]"), item) for key, item in items if isinstance(item, (dict, list, tuple))
        )
    return None


def explain(error: Exception, sample: Any) -> str:
    """Why packing a sample raised an error."""
    # A sample that is too deep or too long is not the fault of one value, and one that contains itself has no end.
    if isinstance(error, UnicodeEncodeError) or not isinstance(error, ValueError):
        found = find_unpackable(sample)
        if found is not None:
            return found
    return f"the sample cannot be packed: {error}"


def _items(place: _Place, value: Any) -> Iterator[tuple[_Place, Any]]:
    """The values of a container, in the order in which they are packed."""
    if not isinstance(value, dict):
        yield from (((place, f"[{i}]"), item) for i, item in enumerate(value))
        return
    for key, item in value.items():
        yield (place, f" key {key!r}"), key
        yield (place, f"[{key!r}]"), item


def _pack_error(value: Any) -> str | None:
    try:
        packb(value)
    except UnicodeEncodeError:
        return "is a string with a lone surrogate, which UTF-8 cannot hold"
    except Exception as error:
        return f"cannot be packed: {error}"
    return None


def _changed_map(value: dict[Any, Any]) -> str | None:
    if set(map(type, value)) <= _SAFE_KEYS:
        read: dict[Any, Any] = value
    else:
        read = {}
        original: dict[Any, Any] = {}
        for key, item in value.items():
            back = unpackb(packb(key), allow_pickle=False)
            reason = _changed_key(key, back, original)
            if reason is not None:
                return reason
            original[back] = key
            read[back] = item
    if stands_for_value(read):
        reserved = b"nd" if b"nd" in read else b"complex"
        return f"has the key {reserved!r}, which the format reserves for numpy arrays, scalars and complex numbers"
    return None


def _changed_key(key: Any, back: Any, original: dict[Any, Any]) -> str | None:
    try:
        if back not in original:
            return None
    except TypeError:
        return f"has the key {key!r}, which would be read back as a {type(back).__name__} and cannot be a key then"
    return f"has the keys {original[back]!r} and {key!r}, which would be equal when read back"


def _name(place: _Place) -> str:
    steps = []
    while place is not None:
        place, step = place
        steps.append(step)
    return "sample" + "".join(reversed(steps))
