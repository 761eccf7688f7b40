"""The keys of a dataset, which are read from their file when they are needed."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from ddfast._native.content import Content
from ddfast._native.keys import PackedStrings
from ddfast._native.status import E_INDEX
from ddfast.errors import IndexFileError, KernelError, SampleIndexError
from ddfast.format.files import SUFFIX_KEYS, damaged, path_append_suffix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

# Keys decoded at a time when iterating.
RUN = 4096


class Keys(Sequence[str]):
    """Read-only sequence of the keys in a ``.keys`` file.

    The first bytes of the file give the length. Access to the first key reads the file and scans it once, which checks
    it and takes 8 bytes of memory a key.

    Parameters:
        path: path to the data or keys file; the suffix is appended if it is missing.
        content: the content of the file, if it is in memory already; `path` is then only for messages.

    Raises:
        FileNotFoundError: the file does not exist.
        IndexFileError: the file is not a list of strings. Damage after the first bytes is found when a key is used.
    """

    def __init__(self, path: str | os.PathLike[str], content: bytes | memoryview | None = None) -> None:
        self.path = path_append_suffix(path, SUFFIX_KEYS) if content is None else os.fspath(path)
        self._content = content
        packed = Content(self.path) if content is None else content
        self._size = len(packed)
        try:
            self._strings = PackedStrings(packed)
        except KernelError as error:
            raise self._damaged(error) from None

    def __len__(self) -> int:
        return len(self._strings)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return self._slice(range(*index.indices(len(self))))
        position = operator.index(index)
        if position < 0:
            position += len(self)
        try:
            return self._strings.get(position)
        except (KernelError, OverflowError) as error:
            raise self._explained(error, index) from None

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), RUN):
            yield from self._slice(range(start, min(start + RUN, len(self))))

    def take(self, indices: ArrayLike) -> list[str]:
        """Keys of many samples.

        Parameters:
            indices: integers from 0 up to ``len(self)``, shape ``(n,)``.

        Raises:
            SampleIndexError: an index is out of range.
        """
        import numpy as np

        chosen = np.ascontiguousarray(indices, dtype=np.int64)
        try:
            return self._strings.take(chosen)
        except KernelError as error:
            raise self._explained(error, chosen[error.item] if error.code == E_INDEX else 0) from None

    def hashes(self, salt: bytes) -> NDArray[np.uint64]:
        """`ddfast.tools.hash_string` of every key, without creating strings; uint64, shape ``(len(self),)``."""
        try:
            return self._strings.hashes(salt)
        except KernelError as error:
            raise self._damaged(error) from None

    def check(self) -> None:
        """Read the whole file and check it.

        Raises:
            IndexFileError: the file is damaged.
        """
        try:
            self._strings.scan()
        except KernelError as error:
            raise self._damaged(error) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.path)!r}: {len(self):,} keys>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, None if self._content is None else bytes(self._content))

    def _slice(self, wanted: range) -> list[str]:
        if wanted.step != 1:
            return self.take(list(wanted))
        try:
            return self._strings.get_range(wanted.start, wanted.stop)
        except KernelError as error:
            raise self._damaged(error) from None

    def _explained(self, error: Exception, index: int) -> Exception:
        if isinstance(error, KernelError) and error.code != E_INDEX:
            return self._damaged(error)
        return SampleIndexError(f"index {index} out of range: {self.path} has {len(self):,} keys")

    def _damaged(self, error: KernelError) -> IndexFileError:
        where = f"{error.reason} (key {error.item:,}, byte {error.pos:,})"
        return damaged(self.path, self._size, where)
