"""Content of the files of samples, which may have been listed by a stranger."""

from __future__ import annotations

import errno
import os
import stat

from ddfast.errors import EscapingPathError, ReadError, SampleFileNotFoundError


def load_file(path: str | os.PathLike[str], key: object, folder: str = "", root: str = "") -> bytes:
    """The content of the file of a sample.

    Parameters:
        path: the file.
        key: of the sample, for messages.
        folder: that relative paths start from; empty for the current one.
        root: the folder that a path which begins with it must not leave through symbolic links; empty for no limit.

    Raises:
        EscapingPathError: the file is not in `root`.
        SampleFileNotFoundError: the file does not exist.
        ReadError: it cannot be read, or is no regular file.
    """
    given = os.fspath(path)
    real = path = os.path.join(folder, given)  # noqa: PTH118  # a Path costs more
    flags = os.O_NONBLOCK  # opening a pipe would wait for its writer
    if root and given.startswith(os.path.join(root, "")):  # noqa: PTH118  # the path is this prefix and a name
        real, flags = _real_path(path, os.path.join(folder, root)), flags | os.O_NOFOLLOW  # noqa: PTH118

    def opener(name: str, mode: int) -> int:
        return os.open(name, mode | flags)

    try:
        with open(real, "rb", buffering=0, opener=opener) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file")
            return file.readall()
    except FileNotFoundError as error:
        reason = f"sample {key!r} does not exist: it was removed, or its path is wrong"
        raise SampleFileNotFoundError(error.errno, reason, path) from error
    except OSError as error:
        raise ReadError(error.errno, f"{error.strerror}: cannot read sample {key!r}", path) from error


def _real_path(path: str, root: str) -> str:
    real, folder = os.path.realpath(path), os.path.realpath(root)
    if not real.startswith(os.path.join(folder, "")):  # noqa: PTH118  # only text is compared
        raise EscapingPathError(
            f"{path} leads through a symbolic link to {real}, which is not in {root!r}. Remove the link, or omit "
            "root_dir to allow any file"
        )
    return real
