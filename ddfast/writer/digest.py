"""The MD5 digest of a data file, which takes longer than writing it."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Calls of update whose bytes may wait; the thread gets the GIL late where the caller never lets go of it.
MAX_WAITING = 4


class Digest:
    """MD5, computed in a thread while the caller packs and writes."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._thread = ThreadPoolExecutor(1, "ddfast-md5")  # starts with the first bytes
        self._waiting: deque[Future[None]] = deque()

    def update(self, pieces: Iterable[Buffer]) -> None:
        """Take more bytes. Waits where too many are waiting."""
        self._waiting.append(self._thread.submit(self._hash, pieces))
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popleft().result()

    def hexdigest(self) -> str:
        """The digest of all bytes so far, in hexadecimal digits."""
        while self._waiting:
            self._waiting.popleft().result()
        return self._md5.hexdigest()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _hash(self, pieces: Iterable[Buffer]) -> None:
        for piece in pieces:
            self._md5.update(piece)
