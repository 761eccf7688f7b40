"""Writer of samples that are packed already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ddfast.batch import Batch
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

    def write_many(self, keys: Iterable[str], samples: Batch | Sequence[Any]) -> None:
        """Write packed samples as they are: all of them, or none if one is refused.

        This is the fast way from one dataset to another::

            for batch in reader.batches(256, raw=True):
                writer.write_many(batch.keys, batch)

        Parameters:
            keys: strings that no other sample has, as many as samples.
            samples: a batch, or bytes-like objects of exactly one msgpack message each.

        Raises:
            ValueError: the number of keys is not that of samples.
            InvalidSampleError, ClosedError, OSError: as those of ``write``.
        """
        self._write_many(keys, samples)
