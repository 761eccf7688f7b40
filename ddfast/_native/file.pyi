from os import PathLike

class File:
    """A data file, open for reading. Safe to share between threads.

    Parameters:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str | PathLike[str]) -> None: ...
    @staticmethod
    def remote(size: int) -> File:
        """A remote data file of `size` bytes, which only the reader of a `RemoteQueue` reads (others: ENOTSUP)."""
    @property
    def size(self) -> int:
        """Bytes the file had when it was opened."""
    def fileno(self) -> int:
        """Its descriptor; negative if it is remote."""
    def check_unchanged(self) -> None:
        """Raise KernelError (E_CHANGED) if the file has another size now."""
    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on.

        Raises:
            ValueError: the range is outside the file.
            KernelError: the file was truncated (E_CHANGED, E_EOF).
            OSError: it cannot be read.
        """

def is_local(fd: int) -> bool:
    """Whether an open file is on a local disk or in memory."""

def start_writeback(fd: int, offset: int, size: int) -> None:
    """Request that the system begins to write a range of a file to the disk. Does not wait, and guarantees nothing."""
