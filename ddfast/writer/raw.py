"""Writer of samples that are packed already."""

from __future__ import annotations

from typing import Any

from ddfast.writer.abc import Writer


class RawWriter(Writer):
    """Writes samples that are packed already, such as those a reader gives with ``raw=True``."""

    def write(self, key: str, data: Any) -> None:
        """Write a packed sample as it is.

        Parameters:
            key: string that no other sample has.
            data: bytes-like, exactly one msgpack message.

        Raises:
            InvalidSampleError: the key is no string or is taken (``DuplicateKeyError``), or the data is not
                one message. The writer goes on as if the sample had not been given.
            ClosedError: the writer is closed.
            OSError: the file system refuses; the dataset is given up.
        """
        self._write_data(key, data)
