import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

class ChecksumTable:
    """The checksums of all samples, over memory that somebody else filled. Nothing is read until it is asked for.

    Parameters:
        buffer: a big-endian uint64 a sample; kept exported while the table lives.

    Raises:
        ValueError: the buffer is no multiple of 8 bytes long.
    """

    def __init__(self, buffer: Buffer) -> None: ...
    def __len__(self) -> int:
        """Number of samples."""

def checksum(data: Buffer) -> int:
    """XXH3-64 of one sample."""

def checksums(data: Buffer, sizes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """XXH3-64 of samples that lie back to back.

    Parameters:
        data: the samples.
        sizes: bytes of each of them, shape ``(n,)``.

    Returns:
        Checksums, shape ``(n,)``.

    Raises:
        KernelError: the sizes add up to more than the data; `item` is the first sample that ends behind it.
    """
