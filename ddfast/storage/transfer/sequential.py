"""An object from front to back, read ahead in large ranges, several at a time."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ddfast.storage.open import open_storage
from ddfast.storage.transfer.io_thread import Agent
from ddfast.storage.transfer.retry import Policy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Front"]

RANGE = 4 << 20
RANGES = 8


class Front:
    """Reads an object under a URL from front to back; for programs that look at all of it once.

    32 MiB are read ahead. Reads that fail are attempted again, as those of readers.

    Parameters:
        url: of the object.
        policy: how patient reads are; None for the usual.
        options: as for `ddfast.storage.open_storage`.

    Attributes:
        name: the URL as it may be shown.
        size: bytes of the object.

    Raises:
        StorageError: it cannot be had; so with `read`.
        StorageOptionError: an option is not known, or has a value that makes no sense.
    """

    def __init__(self, url: str | os.PathLike[str], policy: Policy | None = None, **options: Any) -> None:
        self._storage = open_storage(url, **options)
        self._agent = Agent([self._storage], policy=policy)
        self._ahead: deque[tuple[Future[None], memoryview]] = deque()
        self._asked = 0
        self._data = memoryview(b"")
        self.name = self._storage.name
        try:
            self.size = self._agent.for_each(self._agent.looked_at, [self._storage])[0].size
        except BaseException:
            self.close()
            raise

    def read(self, size: int) -> memoryview:
        """The next bytes, up to `size` of them; nothing at the end of the object."""
        if not self._data:
            self._data = self._next()
        data, self._data = self._data[:size], self._data[size:]
        return data

    def _next(self) -> memoryview:
        while self._asked < self.size and len(self._ahead) < RANGES:
            start, stop = self._asked, min(self.size, self._asked + RANGE)
            data = memoryview(bytearray(stop - start))
            self._ahead.append((self._agent.submit([(start, stop)], [data]), data))
            self._asked = stop
        if not self._ahead:
            return memoryview(b"")
        future, data = self._ahead.popleft()
        self._agent.wait(future)
        return data.toreadonly()

    def close(self) -> None:
        """Give up what is read ahead, and end the thread that reads."""
        self._ahead.clear()
        self._agent.close()
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
