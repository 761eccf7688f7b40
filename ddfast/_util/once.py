"""Values that are made on first use."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar, overload

__all__ = ["Once", "lazy"]

T = TypeVar("T")


class Once(Generic[T]):
    """A value that is made once, by the first thread that needs it, while other threads wait.

    A forked child does not wait for a thread of its parent, which does not exist there, but makes the value itself.
    """

    def __init__(self) -> None:
        self._locks: dict[int, Lock] = {}  # of each process
        self._values: list[T] = []

    @property
    def is_made(self) -> bool:
        """Whether `get` returns immediately."""
        return bool(self._values)

    def get(self, make: Callable[[], T]) -> T:
        """The value; `make` is called if it does not exist. If that fails, the next call tries again."""
        if not self._values:
            with self._locks.setdefault(os.getpid(), Lock()):
                if not self._values:
                    self._values.append(make())
        return self._values[0]


class lazy(Generic[T]):  # noqa: N801  # used as a decorator
    """An attribute that is made on first use, like `functools.cached_property`, but without a lock.

    Another thread could hold a lock when a process forks. If two threads make the attribute at the same time, one of
    the two values is kept.
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
