"""Names and values from files, short enough for a message."""

from __future__ import annotations

import reprlib

LONGEST = 120  # characters


def shortened(text: str, longest: int = LONGEST) -> str:
    """A text of at most `longest` characters: of a longer one, the beginning and the end."""
    if len(text) <= longest:
        return text
    mark = f"...({len(text):,} characters)..."
    kept = max(2, longest - len(mark))
    return f"{text[: kept - kept // 3]}{mark}{text[-(kept // 3) :]}"


def brief(value: object) -> str:
    """The ``repr`` of a value, shortened. It is not computed for the whole of a long text."""
    if isinstance(value, str):
        return repr(shortened(value))
    return shortened(_SHORT.repr(value))


_SHORT = reprlib.Repr()
_SHORT.maxother = _SHORT.maxstring = LONGEST
