"""Sequential reading of a whole object, several large ranges ahead."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ddfast.storage.open import open_storage
from ddfast.storage.transfer.io_thread import IOThread
from ddfast.storage.transfer.retry import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SequentialReader"]

RANGE = 4 << 20
RANGES = 8


class SequentialReader:
    """Reads an object under a URL once from beginning to end.

    It reads 32 MiB ahead, and retries failed reads as readers do.

    Parameters:
        url: of the object.
        policy: the retry policy; None for the default.
        options: as for `ddfast.storage.open_storage`.

    Attributes:
        name: the URL without secrets, for messages.
        size: bytes of the object.

    Raises:
        StorageError: the object cannot be read; `read` raises this, too.
        StorageOptionError: an option is unknown or has an invalid value.
    """

    def __init__(
        self, url: str | os.PathLike[str], policy: RetryPolicy | None = None, **options: Any
    ) -> None:
        self._storage = open_storage(url, **options)
        self._thread = IOThread([self._storage], policy=policy)
        self._ahead: deque[tuple[Future[None], memoryview]] = deque()
        self._requested = 0
        self._data = memoryview(b"")
        self.name = self._storage.name
        try:
            self.size = self._thread.for_each(self._thread.stat, [self._storage])[0].size
        except BaseException:
            self.close()
            raise

    def read(self, size: int) -> memoryview:
        """The next bytes, up to `size` of them; none at the end of the object."""
        if not self._data:
            self._data = self._next()
        data, self._data = self._data[:size], self._data[size:]
        return data

    def _next(self) -> memoryview:
        while self._requested < self.size and len(self._ahead) < RANGES:
            start, stop = self._requested, min(self.size, self._requested + RANGE)
            data = memoryview(bytearray(stop - start))
            self._ahead.append((self._thread.submit([(start, stop)], [data]), data))
            self._requested = stop
        if not self._ahead:
            return memoryview(b"")
        future, data = self._ahead.popleft()
        self._thread.wait(future)
        return data.toreadonly()

    def close(self) -> None:
        """Cancel reads under way, and end the thread."""
        self._ahead.clear()
        self._thread.close()
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
