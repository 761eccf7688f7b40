"""Subset, id and image of a JSON file of labelme."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ddfast.annotated.image_files import ImageFiles, ItemKeys
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.paths import item_id

if TYPE_CHECKING:
    from ddfast.annotated.source_folder import SourceFolder

__all__ = ["LabelmeNames"]

SUBSET = re.compile(r"(train|training|val|valid|validation|test|testing|dev|eval|trainval|minival)\d*", re.I)

# Folders that only say what is in them.
KINDS = {"images", "imgs", "annotations", "labels", "json", "jsons"}

# End of the folders that labelme makes to show a file.
SHOWN = "_json"


class LabelmeNames:
    """Finds the images of JSON files, and gives items their subsets and ids.

    Parameters:
        source: the folder.
        subsets: what the first folder is: ``"names"``, ``"folders"`` or ``"none"``.
        images: folder of the images that the user gave, or empty.
    """

    def __init__(self, source: SourceFolder, subsets: str, images: str) -> None:
        self._subsets = subsets
        self._extra = images.replace("\\", "/").strip("/")
        self._files = ImageFiles(source)
        self._keys = ItemKeys()

    def key(self, name: str, subset: Any = None) -> tuple[str, str]:
        """Subset and id of a file.

        Parameters:
            name: its path, without the extension of a JSON file.
            subset: that the file names.
        """
        return self._keys.first_free(self._choices(name, subset))

    def _choices(self, name: str, subset: Any) -> Iterator[tuple[str, str]]:
        """The best key first: later ones keep more of the path, and are for files of the same name."""
        if isinstance(subset, str) and subset:
            yield subset, name.removeprefix(f"{subset}/")
            yield subset, name
            return
        parts = item_id(name).split("/")
        *folders, base = parts
        yield self._split([*(folder for folder in folders if folder.lower() not in KINDS), base])
        yield self._split(parts)
        yield self._split(name.split("/"))

    def _split(self, parts: list[str]) -> tuple[str, str]:
        first = parts[0]
        split = self._subsets == "folders" or (self._subsets == "names" and SUBSET.fullmatch(first))
        if split and len(parts) > 1:
            return first, "/".join(parts[1:])
        return DEFAULT_SUBSET, "/".join(parts)

    def image(self, json_name: str, given: str | None) -> str | None:
        """The image of a JSON file: relative path, or None.

        It is the file that ``imagePath`` means, else one beside the JSON file with the same name, else the only one
        of that name in the whole folder.

        Parameters:
            json_name: relative path of the JSON file.
            given: its ``imagePath``.
        """
        folders = [posixpath.dirname(json_name), *([self._extra] if self._extra else [])]
        path = (given or "").replace("\\", "/")
        stem = json_name[: -len(".json")]
        stems = [stem, *([f"{self._extra}/{posixpath.basename(stem)}"] if self._extra else [])]
        paths = [posixpath.join(folder, path) for folder in folders] if path else []
        if self._extra and path:
            paths.append(f"{self._extra}/{posixpath.basename(path)}")
        return self._files.find(paths, stems, posixpath.basename(path))

    def without_file(self) -> list[str]:
        """Images that no JSON file has; those that labelme made to show a file are left out."""
        return [name for name in self._files.unused() if not posixpath.dirname(name).endswith(SHOWN)]
