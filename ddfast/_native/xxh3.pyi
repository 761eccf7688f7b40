import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from ddfast._native.content import Content

class ChecksumTable:
    """The checksums of all samples. Entries are read on use.

    Parameters:
        buffer: one big-endian uint64 per sample, in a `Content` or in memory, which stays exported while the table
            lives.

    Raises:
        ValueError: the length of the buffer is not a multiple of 8 bytes.
    """

    content: Content | None

    def __init__(self, buffer: Content | Buffer) -> None: ...
    def __len__(self) -> int:
        """Number of samples."""

def checksum(data: Buffer) -> int:
    """XXH3-64 of one sample."""

def checksums(data: Buffer, sizes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """XXH3-64 of consecutive samples.

    Parameters:
        data: the samples.
        sizes: bytes of each of them, shape ``(n,)``.

    Returns:
        Checksums, shape ``(n,)``.

    Raises:
        KernelError: the sum of the sizes is larger than the data; `item` is the first sample that ends after its end.
    """
