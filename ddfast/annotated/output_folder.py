"""The folder that a dataset is written to: it appears under its name when it is complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ddfast.annotated.paths import inner_path
from ddfast.errors import DatasetExistsError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class OutputFolder:
    """Files of a dataset, below a hidden folder next to the target, which gets its name when the block ends.

    If the block raises, what was written is removed and an existing folder is unchanged.

    Parameters:
        target: the folder to make.
        overwrite: replace an existing folder. An empty one is always replaced.

    Raises:
        DatasetExistsError: the folder exists, or a file of that name.
    """

    def __init__(self, target: str | os.PathLike[str], overwrite: bool = False) -> None:
        self.target = Path(target).absolute()
        if not overwrite and self._exists():
            raise DatasetExistsError(f"{self.target} exists. Pass overwrite=True (--overwrite) to replace it")
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.root = self.target.with_name(f".{self.target.name}.draft-{secrets.token_hex(6)}")
        self.root.mkdir()
        self._folders: set[str] = set()
        self._prefix = f"{self.root}{os.sep}"

    def _exists(self) -> bool:
        if self.target.is_dir() and not self.target.is_symlink():
            return any(self.target.iterdir())
        return os.path.lexists(self.target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._publish()
        else:
            shutil.rmtree(self.root, ignore_errors=True)

    def _publish(self) -> None:
        old = None
        if os.path.lexists(self.target):
            old = self.target.with_name(f".{self.target.name}.old-{secrets.token_hex(6)}")
            self.target.rename(old)
        try:
            self.root.rename(self.target)
        except OSError:
            if old is not None:
                old.rename(self.target)
            raise
        if old is not None:
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.unlink()

    def path(self, name: str) -> Path:
        """The path of a file to write; its folder is made.

        Raises:
            EscapingPathError: it would not be in the folder.
        """
        return Path(self._full(name))

    def _full(self, name: str) -> str:
        inner = inner_path(name)
        folder = inner.rpartition("/")[0]
        if folder not in self._folders:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        return f"{self._prefix}{inner}"

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A new file to write bytes to.

        Raises:
            FileExistsError: the file was written before: two items would have the same name.
        """
        with self.path(name).open("xb") as file:
            yield file

    def write(self, name: str, content: bytes | str) -> None:
        """Write a whole file; text as UTF-8.

        Raises:
            FileExistsError: as of `open`.
        """
        left = memoryview(content.encode() if isinstance(content, str) else content)
        # Two system calls fewer than the built-in open(), which is most of the time of writing many small files.
        file = os.open(self._full(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            while left:
                left = left[os.write(file, left) :]
        finally:
            os.close(file)
