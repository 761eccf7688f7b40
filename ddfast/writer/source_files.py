"""The files of a dataset, open together, and their copies under temporary names."""

from __future__ import annotations

import contextlib
import errno
import os
from io import FileIO
from pathlib import Path

from ddfast.errors import DatasetChangedError, DatasetNotFoundError
from ddfast.format.drafts import create, require_regular, set_access
from ddfast.format.files import SUFFIXES, path_append
from ddfast.format.publication import OFFSETS, hint_of_draft
from ddfast.tools import ProgressPrinter
from ddfast.writer.index_files import remove_files

COPIED_BYTES = 4 << 20

# Offsets come first: as long as they are not replaced, the other files are those of the same dataset.
READ_ORDER = (*OFFSETS, "", *(suffix for suffix in SUFFIXES if suffix not in OFFSETS))

# Errors of file systems on which a file cannot have a second name, or not there.
NO_LINKS = {
    errno.EXDEV,
    errno.EPERM,
    errno.EACCES,
    errno.EMLINK,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EINVAL,
}


class SourceFile:
    """A file of a dataset, open for reading.

    Parameters:
        dataset: the data file of the dataset.
        suffix: of the file.

    Attributes:
        status: of the file, when it was opened.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """

    def __init__(self, dataset: Path, suffix: str) -> None:
        self.dataset = dataset
        self.path = path_append(dataset, suffix)
        file = os.open(
            self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        )  # a pipe would wait for its writer
        try:
            require_regular(file, self.path)
        except BaseException:
            os.close(file)
            raise
        self.status = os.fstat(file)
        self._file = FileIO(file, "rb")

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def read(self) -> bytes:
        """The whole content."""
        return self._file.readall()

    def has_changed(self) -> bool:
        """Whether its path is of another file now, or of another content."""
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return True
        before = self.status
        return not os.path.samestat(before, now) or (before.st_size, before.st_mtime_ns) != (
            now.st_size,
            now.st_mtime_ns,
        )

    def link(self, draft: Path) -> bool:
        """Give the file a second name. Returns whether the file system has done that."""
        remove_files([draft])
        try:
            os.link(self.path, draft, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return False
        return True

    def copy(self, draft: Path, model: os.stat_result, bar: ProgressPrinter) -> None:
        """Copy the content to a new file with the access rights of a model, and flush it to the disk."""
        buffer = memoryview(bytearray(COPIED_BYTES))
        try:
            with FileIO(create(draft, model), "r+b") as file:
                while count := self._file.readinto(buffer):
                    rest = buffer[:count]
                    while rest:
                        rest = rest[file.write(rest) :]
                    bar.update(count)
                set_access(file.fileno(), model)
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(
                error.errno, f"{error.strerror}: cannot copy it to {draft.parent}", str(self.path)
            ) from error


class SourceFiles(dict[str, SourceFile]):
    """The existing files of a dataset by suffix, open for reading; that of the data file is empty.

    Parameters:
        dataset: the data file.

    Raises:
        DatasetNotFoundError: there is no data file or no index.
        OSError: a file cannot be opened.
    """

    def __init__(self, dataset: Path) -> None:
        super().__init__()
        try:
            for suffix in READ_ORDER:
                with contextlib.suppress(FileNotFoundError):
                    self[suffix] = SourceFile(dataset, suffix)
            if "" not in self:
                hint = hint_of_draft(dataset)
                raise DatasetNotFoundError(f"{dataset} not found{f'. {hint}' if hint else ''}")
            if self.keys().isdisjoint(OFFSETS):
                raise DatasetNotFoundError(f"{dataset} has no index. Make one with `ddfast index {dataset}`")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> SourceFiles:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all."""
        for file in self.values():
            file.close()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.status.st_size for file in self.values())

    def refuse_changed(self) -> None:
        """Make sure that all files are still those of one dataset.

        Raises:
            DatasetChangedError: one was replaced or written to since it was opened.
        """
        for file in self.values():
            if file.has_changed():
                raise DatasetChangedError(
                    f"{file.path} was replaced or written to while the dataset was copied. Copy it again"
                )
