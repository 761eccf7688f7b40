"""Files that are not complete yet: opened without following links, and as private as the files that they replace."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from io import FileIO
from pathlib import Path


def status_of(*paths: Path) -> os.stat_result | None:
    """The status of the first of these that is a regular file; None if none is. Links are not followed."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                return status
    return None


def create(path: Path, model: os.stat_result | None = None) -> int:
    """Create an empty file for reading and writing. What has the name is removed; if it is a link, the link is.

    Parameters:
        path: of the file.
        model: of the file that it will replace, or that it belongs to: it gets the access rights of that file, and
            write permission for the owner. None for the rights of any new file.

    Returns:
        Its descriptor.

    Raises:
        OSError: the file cannot be created.
    """
    path.unlink(missing_ok=True)
    mode = (
        0o666 if model is None else stat.S_IRUSR | stat.S_IWUSR
    )  # nobody else opens it before it has its rights
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    if model is not None:
        try:
            set_access(file, model, stat.S_IWUSR)
        except BaseException:
            os.close(file)
            raise
    return file


def set_access(file: int, model: os.stat_result, more: int = 0) -> None:
    """Give a file the mode of another one, and its owner and group if the system permits. The owner may always read.

    Parameters:
        file: descriptor of the file.
        model: of the other one.
        more: bits to add to the mode.
    """
    mode = stat.S_IMODE(model.st_mode) & 0o777 | stat.S_IRUSR | more
    status = os.fstat(file)
    if (status.st_uid, status.st_gid) != (model.st_uid, model.st_gid) and not _give(file, model):
        mode &= ~stat.S_IRWXG  # its group is another one, which may have had no access to the file
    with contextlib.suppress(OSError):  # of file systems without modes; elsewhere the file stays private
        os.fchmod(file, mode)


def open_regular(path: Path, write: bool = False) -> FileIO:
    """Open an existing file, which must be a regular one.

    Parameters:
        path: of the file; a link is not followed.
        write: open it for reading and writing, not only for reading.

    Raises:
        OSError: it cannot be opened, or is a link, a pipe or the like; with `write`, also if it has another name.
    """
    flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # opening a pipe would wait for its other end
    try:
        file = os.open(path, flags | (os.O_RDWR if write else os.O_RDONLY))
    except OSError as error:
        raise (not_regular(path) if error.errno in (errno.ELOOP, errno.ENXIO) else error) from None
    try:
        require_regular(file, path)
        if write and os.fstat(file).st_nlink > 1:
            raise OSError(
                errno.EMLINK,
                "it has a second name (a hard link), under which it would change too. Remove it",
                str(path),
            )
    except BaseException:
        os.close(file)
        raise
    return FileIO(file, "r+b" if write else "rb")


def make_writable(path: Path) -> None:
    """Permit the owner to write to a file, which had the mode of a complete one already.

    Raises:
        OSError: as those of `open_regular`.
    """
    with open_regular(path) as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if not mode & stat.S_IWUSR:
            os.fchmod(file.fileno(), mode | stat.S_IWUSR)


def require_regular(file: int, path: Path) -> None:
    """Check that a descriptor is of a regular file.

    Raises:
        OSError: it is not.
    """
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise not_regular(path)


def not_regular(path: Path) -> OSError:
    """The error for a link, a pipe or the like in place of a file."""
    return OSError(errno.EINVAL, "not a regular file but a link, a pipe or the like. Remove it", str(path))


def _give(file: int, model: os.stat_result) -> bool:
    """Change owner and group, or the group alone. Returns whether the group is that of the model."""
    for owner in (model.st_uid, -1):
        with contextlib.suppress(OSError):
            os.fchown(file, owner, model.st_gid)
            return True
    return os.fstat(file).st_gid == model.st_gid
