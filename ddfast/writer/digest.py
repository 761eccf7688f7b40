"""The MD5 digest of a data file, which takes longer than writing it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ddfast.writer.lane import Lane

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Digest:
    """MD5, computed in a thread while the caller packs."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._lane = Lane("ddfast-md5")

    def update(self, pieces: Iterable[Buffer]) -> None:
        """Take more bytes. Waits where too many are waiting."""
        self._lane.put(self._hash, pieces)

    def hexdigest(self) -> str:
        """The digest of all bytes so far, in hexadecimal digits."""
        self._lane.finish()
        return self._md5.hexdigest()

    def close(self) -> None:
        """End the thread."""
        self._lane.close()

    def _hash(self, pieces: Iterable[Buffer]) -> None:
        for piece in pieces:
            self._md5.update(piece)
