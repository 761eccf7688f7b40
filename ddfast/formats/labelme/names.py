"""Subset, id and image of a JSON file of labelme."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.paths import image_extension, item_id, matching_form
from ddfast.annotated.source_folder import ImageFinder

if TYPE_CHECKING:
    from ddfast.annotated.source_folder import SourceFolder

__all__ = ["ImageFiles", "ItemNames"]

SUBSET = re.compile(r"(train|training|val|valid|validation|test|testing|dev|eval|trainval|minival)\d*", re.I)

# Folders that only say what is in them.
KINDS = {"images", "imgs", "annotations", "labels", "json", "jsons"}


class ItemNames:
    """Finds the subset and the id of items from the paths of their files; no two items get the same.

    Parameters:
        subsets: what the first folder is: ``"names"``, ``"folders"`` or ``"none"``.
    """

    def __init__(self, subsets: str) -> None:
        self._subsets = subsets
        self._taken: set[tuple[str, str]] = set()

    def of(self, name: str, subset: Any = None) -> tuple[str, str]:
        """Subset and id of a file.

        Parameters:
            name: its path, without the extension of a JSON file.
            subset: that the file names.
        """
        for key in self._choices(name, subset):
            if key not in self._taken:
                break
        else:
            key = self._numbered(key)
        self._taken.add(key)
        return key

    def _choices(self, name: str, subset: Any) -> Iterable[tuple[str, str]]:
        """The best key first: later ones keep more of the path, and are for files of the same name."""
        if isinstance(subset, str) and subset:
            yield subset, name.removeprefix(f"{subset}/")
            yield subset, name
            return
        parts = item_id(name).split("/")
        *folders, base = parts
        short = [folder for folder in folders if folder.lower() not in KINDS]
        yield self._split([*short, base])
        yield self._split(parts)
        yield self._split(name.split("/"))

    def _split(self, parts: list[str]) -> tuple[str, str]:
        first = parts[0]
        split = self._subsets == "folders" or (self._subsets == "names" and SUBSET.fullmatch(first))
        if split and len(parts) > 1:
            return first, "/".join(parts[1:])
        return DEFAULT_SUBSET, "/".join(parts)

    def _numbered(self, key: tuple[str, str]) -> tuple[str, str]:
        number = 2
        while (key[0], f"{key[1]}_{number}") in self._taken:
            number += 1
        return key[0], f"{key[1]}_{number}"


class ImageFiles:
    """The images of a folder, and which of them have an annotation file.

    Parameters:
        source: the folder.
        extra: folder of the images that the user gave, or empty.
    """

    def __init__(self, source: SourceFolder, extra: str) -> None:
        self._source = source
        self._extra = extra.replace("\\", "/").strip("/")
        self._exact = {matching_form(name): name for name in source.images}
        self._by_stem: dict[str, list[str]] = {}
        for form, name in self._exact.items():
            self._by_stem.setdefault(item_id(form), []).append(name)
        self._used: set[str] = set()

    def find(self, json_name: str, given: str | None) -> str | None:
        """The image of a JSON file: relative path, or None.

        It is the file that ``imagePath`` means, else one beside the JSON file with the same name, else the only one
        of that name in the whole folder.

        Parameters:
            json_name: relative path of the JSON file.
            given: its ``imagePath``.
        """
        found = self._find(json_name, given)
        if found is not None:
            self._used.add(found)
        return found

    def _find(self, json_name: str, given: str | None) -> str | None:
        folder = posixpath.dirname(json_name)
        stem = json_name[: -len(".json")]
        path = (given or "").replace("\\", "/")
        folders = [folder, self._extra] if self._extra else [folder]
        for start in folders if path else ():
            found = self._exact.get(matching_form(posixpath.normpath(posixpath.join(start, path))))
            if found is not None:
                return found
        for place in [stem, f"{self._extra}/{posixpath.basename(stem)}"] if self._extra else [stem]:
            if image_extension(place):  # the file is called 1.jpg.json
                beside = [self._exact[form]] if (form := matching_form(place)) in self._exact else []
            else:
                beside = self._by_stem.get(unicodedata.normalize("NFC", place), [])
            if len(beside) == 1:
                return beside[0]
        base = posixpath.basename(path)
        elsewhere = self._finder.find(base) if base else None
        return None if elsewhere is None else self._relative(*elsewhere)

    @cached_property
    def _finder(self) -> ImageFinder:
        return ImageFinder(self._source, [])

    def _relative(self, place: str, name: str) -> str:
        inner = posixpath.join(place, name)[len(str(self._source.root)) :]
        return inner.lstrip("/")

    def unused(self) -> list[str]:
        """Images that no JSON file has; those that labelme exported for viewing are left out."""
        return [
            name
            for name in self._source.images
            if name not in self._used and not posixpath.dirname(name).endswith("_json")
        ]
