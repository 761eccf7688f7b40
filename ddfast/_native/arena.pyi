class Pool:
    """Blocks of memory for arenas, kept for reuse within a limit. Safe to share between threads.

    Parameters:
        limit: bytes of used and kept blocks above which freed blocks are returned to the system, except the last one.
    """

    def __init__(self, limit: int) -> None: ...
    @property
    def used(self) -> int:
        """Bytes of blocks that live arenas hold."""
    @property
    def kept(self) -> int:
        """Bytes of free blocks that are kept for reuse."""

class Arena:
    """Memory of a group of batches; freed, or reused, when no view of it is left."""

    @property
    def size(self) -> int:
        """Bytes of the blocks that this arena holds."""
