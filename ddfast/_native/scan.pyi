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
        most: how many samples are wanted; 0 for as many as one call finds.

    Returns:
        Some samples, at least one unless the buffer is empty; those before a damaged one or one that is cut off.

    Raises:
        KernelError: the first is damaged, at `pos`. If it is cut off (E_TRUNCATED), `item` is how many bytes it takes
            at the least.
    """

def scan_spans(buffer: Buffer, bounds: NDArray[np.uint64]) -> Found:
    """Check that a buffer holds one sample between each bound and the next.

    Parameters:
        buffer: contiguous bytes.
        bounds: shape ``(n + 1,)``; the first one stands for the beginning of the buffer.

    Returns:
        The samples; those before a damaged one where there is one.

    Raises:
        KernelError: the first is damaged, at `pos` from its start.
    """
