"""The folder that a dataset is read from: its files, and which of them is the image of an item."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from ddfast.annotated.paths import image_extension, inner_path, item_id, matching_form
from ddfast.errors import EscapingPathError, FormatError

HEAD_BYTES = 4096


class SourceFolder:
    """A folder to read from. Links that lead out of it are not followed.

    Parameters:
        root: the folder.
        chosen: relative path of the one file that the user named, or None if it was the folder.
    """

    def __init__(self, root: Path, chosen: str | None = None) -> None:
        self.root = root
        self.chosen = chosen

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> SourceFolder:
        """The folder at ``path``, or the folder of the file at ``path``.

        Raises:
            FileNotFoundError: there is nothing at ``path``.
        """
        full = Path(path).absolute()
        if full.is_dir():
            return cls(full)
        if full.is_file():
            return cls(full.parent, full.name)
        raise FileNotFoundError(f"{os.fspath(path)} does not exist")

    def __str__(self) -> str:
        return str(self.root / (self.chosen or ""))

    @cached_property
    def files(self) -> list[str]:
        """Relative paths of all files, with ``/``, sorted; hidden ones left out."""
        return sorted(self._scan(self.root, ""))

    def _scan(self, folder: Path | str, prefix: str) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink() and not self._is_inside(entry.path):
                    continue
                if entry.is_dir():
                    if not entry.is_symlink():
                        yield from self._scan(entry.path, f"{prefix}{entry.name}/")
                else:
                    yield f"{prefix}{entry.name}"

    def _is_inside(self, path: str) -> bool:
        real = os.path.realpath(path)
        return os.path.commonpath([real, os.path.realpath(self.root)]) == os.path.realpath(self.root)

    def candidates(self, extension: str) -> list[str]:
        """Files of an extension: only the chosen one, if the user named a file."""
        if self.chosen is not None:
            return [self.chosen] if self.chosen.lower().endswith(extension) else []
        return [name for name in self.files if name.lower().endswith(extension)]

    def path(self, name: str) -> Path:
        """The path of a file in the folder.

        Raises:
            EscapingPathError: it is not in the folder.
        """
        path = self.root / inner_path(name)
        if not self._is_inside(str(path)):
            raise EscapingPathError(f"{path} is a link that leaves {self.root}")
        return path

    def head(self, name: str, size: int = HEAD_BYTES) -> bytes:
        """The first bytes of a file."""
        with self.path(name).open("rb") as file:
            return file.read(size)

    def text(self, name: str) -> str:
        """The content of a text file.

        Raises:
            FormatError: it is not UTF-8.
        """
        try:
            return self.path(name).read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FormatError(f"{self.path(name)} is not UTF-8 text: byte {error.start}") from error

    @cached_property
    def images(self) -> list[str]:
        """Relative paths of all images."""
        return [name for name in self.files if image_extension(name)]


class ImageFinder:
    """Finds the image of an item among the files of a folder.

    A name is looked up in the folders given, in their order; then anywhere, if only one file ends with it.

    Parameters:
        source: the folder.
        folders: relative paths of folders that names may be relative to, the best first.
    """

    def __init__(self, source: SourceFolder, folders: Iterable[str]) -> None:
        self._root = str(source.root)
        self._folders = [folder.strip("/") for folder in folders]
        self._exact = {matching_form(name): name for name in source.images}
        self._ids: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for name in source.images:
            form = matching_form(name)
            self._ids.setdefault(item_id(form), []).append(name)
            self._by_name.setdefault(posixpath.basename(form), []).append(name)

    def __bool__(self) -> bool:
        return bool(self._exact)

    def find(self, name: str) -> tuple[str, str] | None:
        """Folder and relative path in it of the image called ``name``, or None; its extension may be missing."""
        if not self._exact:
            return None
        form = matching_form(name)
        for folder in self._folders:
            inner = f"{folder}/{form}" if folder else form
            found = self._exact.get(inner)
            if found is None and not image_extension(form):
                found = _only(self._ids.get(inner, ()))
            if found is not None:
                return posixpath.join(self._root, folder) if folder else self._root, found[
                    len(folder) + 1 if folder else 0 :
                ]
        return self._elsewhere(form)

    def _elsewhere(self, form: str) -> tuple[str, str] | None:
        found = [
            name
            for name in self._by_name.get(posixpath.basename(form), [])
            if f"/{matching_form(name)}".endswith(f"/{form}")
        ] or self._by_name.get(posixpath.basename(form), [])
        one = _only(found)
        if one is None:
            return None
        inner = form.count("/") if f"/{matching_form(one)}".endswith(f"/{form}") else 0
        parts = one.split("/")
        cut = len(parts) - 1 - inner
        return posixpath.join(self._root, *parts[:cut]), "/".join(parts[cut:])


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None
