"""Rank and worker number of this process."""

from __future__ import annotations

from typing import Any

from torch import distributed
from torch.utils.data import get_worker_info


def this_rank(group: Any = None) -> tuple[int, int]:
    """Rank of this process, and number of ranks; ``(0, 1)`` if training is not distributed.

    Parameters:
        group: process group; None for the default one.
    """
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(group), distributed.get_world_size(group)
    return 0, 1


def this_worker() -> tuple[int, int]:
    """Number of this DataLoader worker, and number of workers; ``(0, 1)`` outside of workers."""
    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)
