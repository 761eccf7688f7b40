from os import PathLike

class Content:
    """The content of an index file. Its buffer is read-only memory. Safe to share between threads.

    A table over it reads the parts of the file that are used, when they are used first. Any other use of the buffer
    reads the whole file.

    Parameters:
        path: the file.

    Raises:
        FileNotFoundError: it does not exist.
        ReadError: it cannot be opened, or is a pipe, a socket or a device.
        OSError: it is a folder, or this process may not read it.
    """

    path: str

    def __init__(self, path: str | PathLike[str]) -> None: ...
    def __len__(self) -> int:
        """Bytes the file had when it was opened."""
    def __buffer__(self, flags: int, /) -> memoryview:
        """All of the content.

        Raises:
            DatasetChangedError: the file was truncated or replaced since it was opened.
            ReadError: it cannot be read.
        """

def failed_to_open(path: str | PathLike[str], code: int) -> OSError:
    """The error for a file that cannot be opened, from the number of the system's error."""

def explained(path: str | PathLike[str], error: Exception) -> OSError:
    """The error for a file that cannot be read: a `ReadError`, or a `DatasetChangedError`."""
