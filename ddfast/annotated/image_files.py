"""The images of a folder whose annotation files name them, and those that no annotation file names."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from ddfast.annotated.paths import image_extension, item_id, matching_form
from ddfast.annotated.source_folder import ImageFinder

if TYPE_CHECKING:
    from ddfast.annotated.source_folder import SourceFolder

__all__ = ["ImageFiles", "ItemKeys"]


class ImageFiles:
    """Finds images by exact paths first, and notes which were found.

    Parameters:
        source: the folder.
    """

    def __init__(self, source: SourceFolder) -> None:
        self._source = source
        self._exact = {matching_form(name): name for name in source.images}
        self._by_stem: dict[str, list[str]] = {}
        for form, name in self._exact.items():
            self._by_stem.setdefault(item_id(form), []).append(name)
        self._used: set[str] = set()

    def find(self, paths: Iterable[str], stems: Iterable[str] = (), base: str = "") -> str | None:
        """The relative path of an image, or None.

        Parameters:
            paths: where it may be, the best first. Those outside of the folder do not match.
            stems: where it may be under any extension, or with that extension as in ``1.jpg.json``.
            base: its name, for an image that is elsewhere; it must be the only one of that name.
        """
        found = next((self._exact[form] for form in self._forms(paths) if form in self._exact), None)
        found = found or next(filter(None, map(self._at_stem, stems)), None)
        if found is None and base:
            elsewhere = self._finder.find(base)
            found = None if elsewhere is None else self._relative(*elsewhere)
        if found is not None:
            self._used.add(found)
        return found

    @staticmethod
    def _forms(paths: Iterable[str]) -> Iterable[str]:
        return (matching_form(posixpath.normpath(path)) for path in paths)

    def _at_stem(self, stem: str) -> str | None:
        if image_extension(stem):
            return self._exact.get(matching_form(stem))
        found = self._by_stem.get(unicodedata.normalize("NFC", stem), [])
        return found[0] if len(found) == 1 else None

    @cached_property
    def _finder(self) -> ImageFinder:
        return ImageFinder(self._source, [])

    def _relative(self, place: str, name: str) -> str:
        return posixpath.join(place, name)[len(str(self._source.root)) :].lstrip("/")

    def unused(self) -> list[str]:
        """Images that were not found by any path."""
        return [name for name in self._source.images if name not in self._used]


class ItemKeys:
    """Gives each item a subset and an id that no other item has."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, str]] = set()

    def first_free(self, choices: Iterable[tuple[str, str]]) -> tuple[str, str]:
        """The first of some pairs of subset and id that is free; the last one with a number if none is.

        Parameters:
            choices: at least one, the best first.
        """
        for key in choices:
            if key not in self._taken:
                break
        else:
            subset, stem = key
            number = 2
            while (subset, f"{stem}_{number}") in self._taken:
                number += 1
            key = (subset, f"{stem}_{number}")
        self._taken.add(key)
        return key
