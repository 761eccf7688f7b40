"""Values that are made when they are first needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar, overload

__all__ = ["Once", "lazy"]

T = TypeVar("T")


class Once(Generic[T]):
    """A value that is made once, by the thread that asks first, while others wait for it.

    A forked child does not wait for a thread of its parent, which it does not have: there it is made anew.
    """

    def __init__(self) -> None:
        self._locks: dict[int, Lock] = {}  # of each process
        self._values: list[T] = []

    @property
    def is_made(self) -> bool:
        """Whether `get` returns at once."""
        return bool(self._values)

    def get(self, make: Callable[[], T]) -> T:
        """The value; `make` is called if there is none yet. Where that fails, the next call tries again."""
        if not self._values:
            with self._locks.setdefault(os.getpid(), Lock()):
                if not self._values:
                    self._values.append(make())
        return self._values[0]


class lazy(Generic[T]):  # noqa: N801  # used as a decorator
    """An attribute that is made when it is first used, as by `functools.cached_property`, but without a lock.

    A lock could be held by another thread when a process forks. Where two threads make the attribute, one of the two is
    kept.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> lazy[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | lazy[T]:
        if instance is None:
            return self
        value: T = instance.__dict__.setdefault(self._name, self._make(instance))
        return value
