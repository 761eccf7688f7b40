"""Writer of samples."""

from __future__ import annotations

from typing import Any

from ddfast._native.write_buffer import FLUSH_DUE, REFUSED
from ddfast.writer.abc import Writer


class FileWriter(Writer):
    """Writes samples: dicts with a string ``"key"`` that no other sample has."""

    def write(self, sample: dict[str, Any]) -> None:
        """Pack a sample and write it.

        Parameters:
            sample: anything that msgpack can hold, and numpy arrays and scalars.

        Raises:
            InvalidSampleError: the sample is no dict, has no key or one that is taken (``MissingKeyError``,
                ``DuplicateKeyError``), or holds something that cannot be packed or would be read back as
                something else. The writer goes on as if the sample had not been given.
            ClosedError: the writer is closed.
            OSError: the file system refuses; the dataset is given up.
        """
        outcome = self._book.buffer.add_sample(sample)  # the short way, which nearly all samples go
        if outcome == REFUSED:
            self._write(self._book.key_of(sample), sample)
        elif outcome == FLUSH_DUE:
            self._advance()
