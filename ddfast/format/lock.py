"""The lock that keeps two writers from one dataset: `flock` on the dataset's journal."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from ddfast.errors import DatasetBusyError
from ddfast.format.drafts import not_regular, require_regular

# File systems without locks: writers work there, but a second one is not refused.
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
MAX_TRIES = 100

# The locked file begins with a text that ends with the number of the process; see `ddfast.format.journal`.
OWNER_BYTES = 64


def open_locked(path: Path, create: bool, mode: int = 0o666) -> int:
    """Open a file for reading and writing, and lock it against all other processes.

    Parameters:
        path: of the file, which must be a regular one; a link is not followed.
        create: create the file if it does not exist.
        mode: of a new file, without the bits of the umask.

    Returns:
        Its descriptor.

    Raises:
        DatasetBusyError: another process holds the lock.
        OSError: the file cannot be opened, or is not a regular file.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_CREAT if create else 0)
    for _ in range(MAX_TRIES):
        try:
            file = os.open(path, flags, mode)
        except OSError as error:
            raise (not_regular(path) if error.errno == errno.ELOOP else error) from None
        try:
            require_regular(file, path)
            _lock(file, path)
            if _is_at(file, path):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # its owner has just removed it
    raise _busy(path, b"")


def close_locked(file: int) -> None:
    """Unlock and close a file."""
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_UN)  # child processes may have it open, too
    os.close(file)


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(path, os.pread(file, OWNER_BYTES, 0)) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise OSError(error.errno, f"{error.strerror}: cannot lock it", str(path)) from error


def _is_at(file: int, path: Path) -> bool:
    """Whether the path still names the open file."""
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


def _busy(path: Path, header: bytes) -> DatasetBusyError:
    process = header.decode("ascii", "replace").rpartition("process ")[2].strip()
    data = path.with_name(path.name[1:].removesuffix(".journal"))
    owner = f"process {process}" if process.isdecimal() else "another process"
    return DatasetBusyError(
        f"{data} is being written by {owner}. Wait until that writer has finished, or write to another file"
    )
