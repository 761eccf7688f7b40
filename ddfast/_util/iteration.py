"""Functions of users that are called by iterators."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ddfast.errors import CallbackError

__all__ = ["not_at_end"]

T = TypeVar("T")
P = ParamSpec("P")


def not_at_end(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a function whose StopIteration is not the end of the iterator that calls it, as in a generator.

    Raises:
        CallbackError: the function raises StopIteration.
    """
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        raise CallbackError(
            "a function that makes samples, such as convertfun, raised StopIteration, which would end the loop as if "
            "it were complete. Raise another exception"
        ) from error
