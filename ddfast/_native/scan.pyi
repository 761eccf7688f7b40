import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

Found = tuple[NDArray[np.uint64], list[str | None], dict[int, str]]
"""Samples: where each ends, counted from the beginning of the buffer; the keys they hold; and for those without a key,
by position, why."""

def scan_run(buffer: Buffer, most: int = 0) -> Found:
    """Find samples that follow one another, and check every byte of them.

    Parameters:
        buffer: contiguous bytes that begin with a sample.
        most: maximum number of samples; 0 for as many as one call finds.

    Returns:
        The samples before the first one that is damaged or truncated; at least one unless the buffer is empty.

    Raises:
        KernelError: the first sample is damaged, at `pos`. If it is truncated (E_TRUNCATED), `item` is the minimum
            number of bytes that it takes.
    """

def scan_spans(buffer: Buffer, bounds: NDArray[np.uint64]) -> Found:
    """Check that a buffer holds one sample between each bound and the next.

    Parameters:
        buffer: contiguous bytes.
        bounds: shape ``(n + 1,)``; the first one is the beginning of the buffer.

    Returns:
        The samples before the first damaged one, or all.

    Raises:
        KernelError: the first sample is damaged, at `pos` from its start.
    """
