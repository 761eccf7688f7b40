from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from ddfast._native.content import Content

class OffsetTable:
    """The position of each sample of a data file.

    Entries are read on use, so a table over the content of a file takes only the memory of the parts that are used.

    Parameters:
        buffer: big-endian uint64 entries, one more than samples: a `Content`, or any contiguous buffer, which stays
            exported while the table lives.
        file_size: bytes of the data file.

    Raises:
        ValueError: the buffer is empty, or its length is not a multiple of 8 bytes.
    """

    entries: int
    file_size: int
    content: Content | None

    def __init__(self, buffer: Content | Buffer | NDArray[Any], file_size: int) -> None: ...
    def __len__(self) -> int:
        """Number of samples."""
    def check_ends(self) -> None:
        """Check that the first entry is 0 and the last the data file's size.

        Raises:
            KernelError: they are not; `item` is the entry, `pos` its byte position.
        """
    def validate(self) -> None:
        """Check every entry: the ends as above, and that none is smaller than its predecessor.

        Raises:
            KernelError: as above.
        """
    def span(self, index: int) -> tuple[int, int]:
        """First byte of a sample, and the first after it.

        Raises:
            KernelError: the index is out of range (E_INDEX; also if it is negative), or the span is not within the
                data file (E_SPAN; `pos` is the byte position of its entry).
        """
    def spans(self, indices: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Spans of many samples; shape ``(len(indices), 2)``, half-open.

        Raises:
            KernelError: as above; `item` is the position in `indices`.
        """
    def span_range(self, start: int, stop: int) -> NDArray[np.uint64]:
        """Spans of the samples from `start` up to `stop`; shape ``(stop - start, 2)``.

        Raises:
            IndexError: the range is not within the dataset.
            KernelError: the span of a sample is not within the data file; `item` counts from `start`.
        """
