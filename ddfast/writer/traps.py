"""What keeps a sample from being packed, or from being read back as what it was.

Only samples that look suspicious come here: a closer look takes longer than packing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ddfast._util.nd import stands_for_value
from ddfast.tools.msgpack import packb, unpackb

# Keys of these very types are hashable when read back, and equal only where they were equal before.
_HONEST_KEYS = {str, bytes, int, bool, float, type(None)}

# A value's place: the place of what holds it, and how it is found there.
_Place = tuple[Any, str] | None


def find_unpackable(sample: Any) -> str | None:
    """Where and why a sample cannot be packed, or ``None`` if no single value is at fault."""
    stack: list[tuple[_Place, Any]] = [(None, sample)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, (dict, list, tuple)):
            stack.extend(reversed(list(_items(place, value))))
        elif (reason := _refusal(value)) is not None:
            return f"{_name(place)} {reason}"
    return None


def find_trap(sample: Any) -> str | None:
    """Where and why a sample that can be packed would be read back as something else, or ``None``."""
    stack: list[tuple[_Place, Any]] = [(None, sample)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, dict):
            reason = _map_trap(value)
            if reason is not None:
                return f"{_name(place)} {reason}"
            items: Any = value.items()
        else:
            items = enumerate(value)
        stack.extend(
            ((place, f"[{key!r}]"), item) for key, item in items if isinstance(item, (dict, list, tuple))
        )
    return None


def explain(error: Exception, sample: Any) -> str:
    """Why packing a sample raised an error."""
    # Too deep or too long is the fault of no single value, and a sample that holds itself has no end.
    if isinstance(error, UnicodeEncodeError) or not isinstance(error, ValueError):
        found = find_unpackable(sample)
        if found is not None:
            return found
    return f"the sample cannot be packed: {error}"


def _items(place: _Place, value: Any) -> Iterator[tuple[_Place, Any]]:
    """What a container holds, in the order in which it is packed."""
    if not isinstance(value, dict):
        yield from (((place, f"[{i}]"), item) for i, item in enumerate(value))
        return
    for key, item in value.items():
        yield (place, f" key {key!r}"), key
        yield (place, f"[{key!r}]"), item


def _refusal(value: Any) -> str | None:
    try:
        packb(value)
    except UnicodeEncodeError:
        return "is a string with a lone surrogate, which UTF-8 cannot hold"
    except Exception as error:
        return f"cannot be packed: {error}"
    return None


def _map_trap(value: dict[Any, Any]) -> str | None:
    if set(map(type, value)) <= _HONEST_KEYS:
        read: dict[Any, Any] = value
    else:
        read = {}
        original: dict[Any, Any] = {}
        for key, item in value.items():
            back = unpackb(packb(key), allow_pickle=False)
            reason = _key_trap(key, back, original)
            if reason is not None:
                return reason
            original[back] = key
            read[back] = item
    if stands_for_value(read):
        reserved = b"nd" if b"nd" in read else b"complex"
        return (
            f"has the key {reserved!r}, by which the format tells numpy arrays, scalars and complex numbers"
        )
    return None


def _key_trap(key: Any, back: Any, original: dict[Any, Any]) -> str | None:
    try:
        if back not in original:
            return None
    except TypeError:
        return (
            f"has the key {key!r}, which would be read back as a {type(back).__name__} and can be no key then"
        )
    return f"has the keys {original[back]!r} and {key!r}, which would be one and the same when read back"


def _name(place: _Place) -> str:
    steps = []
    while place is not None:
        place, step = place
        steps.append(step)
    return "sample" + "".join(reversed(steps))
