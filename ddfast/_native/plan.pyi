import numpy as np
from numpy.typing import NDArray

def plan_reads(
    spans: NDArray[np.uint64], max_gap: int, max_read: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], int]:
    """Turn spans into few large reads.

    Parameters:
        spans: half-open byte ranges, shape ``(n, 2)``, in any order.
        max_gap: the coalescing distance: spans at most this many bytes apart share a read.
        max_read: longer reads are cut, so that several threads share them.

    Returns:
        Reads as rows of (offset in the file, length, position in the destination), the position of each span in the
        destination, and the size of the destination in bytes.

    Raises:
        KernelError: a span ends before it starts (E_SPAN; `item` is its number).
    """
