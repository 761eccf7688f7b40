import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

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
