"""Keys as users give them."""

from __future__ import annotations

from ddfast._util.brief import brief

__all__ = ["bytes_hint", "key_text", "not_a_string"]


def key_text(key: object) -> str | None:
    """A key as a plain string; None if no sample can have it."""
    if not isinstance(key, str):
        return None
    text: str = str.__str__(key)  # converts a subclass such as np.str_
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return None
    return text


def not_a_string(key: object) -> TypeError:
    """The error for a key of another type, where all keys are strings."""
    advice = bytes_hint(key) or f". Keys are strings, not {type(key).__name__}: use str(key)"
    return TypeError(f"no sample has the key {brief(key)}{advice}")


def bytes_hint(key: object) -> str:
    """What to do about a key that is not found, where keys are of any type."""
    return ". Keys are strings, not bytes: use key.decode()" if isinstance(key, bytes) else ""
