"""Names with ranges of numbers, such as ``train-{000..127}.msgpack``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from ddfast._util.secrets import shown

__all__ = ["expand_ranges", "has_range"]

RANGE = re.compile(r"\{([0-9]{1,18})\.\.([0-9]{1,18})\}")
MOST_NAMES = 100_000


def has_range(name: str) -> bool:
    """Whether a name stands for several names."""
    return RANGE.search(name) is not None


def expand_ranges(name: str) -> list[str]:
    """All names that a name stands for; the last range counts fastest. A name without ranges gives itself.

    As in shells, numbers have leading zeros if a bound has, and a range may count down.

    Raises:
        ValueError: it stands for more than 100,000 names.
    """
    texts, ranges = [], []
    end, count = 0, 1
    for match in RANGE.finditer(name):
        texts.append(name[end : match.start()])
        ranges.append((match[1], match[2]))
        count *= abs(int(match[2]) - int(match[1])) + 1
        end = match.end()
    if count > MOST_NAMES:
        raise ValueError(
            f"{shown(name)} stands for {count:,} files, more than {MOST_NAMES:,}. Use smaller ranges, or a list"
        )
    numbers = product(*(list(_numbers(*bounds)) for bounds in ranges))
    return [
        "".join(part for pair in zip(texts, chosen, strict=True) for part in pair) + name[end:]
        for chosen in numbers
    ]


def _numbers(first: str, last: str) -> Iterator[str]:
    is_padded = any(bound.startswith("0") and len(bound) > 1 for bound in (first, last))
    width = max(len(first), len(last)) if is_padded else 0
    step = 1 if int(first) <= int(last) else -1
    return (f"{number:0{width}}" for number in range(int(first), int(last) + step, step))
