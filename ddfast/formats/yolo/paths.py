"""Where images and label files are: paths of lists and configurations, wherever these were written."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ddfast.annotated.paths import image_extension, item_id, matching_form

if TYPE_CHECKING:
    from ddfast.annotated.source_folder import SourceFolder

__all__ = ["Entry", "Files", "image_ids", "label_path", "plain_parts"]

LABEL_FOLDERS = ("labels", "Labels", "annotations", "Annotations")
IMAGE_FOLDERS = ("images", "jpegimages")


class Entry(NamedTuple):
    """An image of a subset.

    Attributes:
        subset: its name.
        id: of the item.
        path: of the image in the folder, or as it is listed if it is not there.
        exists: whether the image is there.
        labels: path of the label file, or None.
    """

    subset: str
    id: str
    path: str
    exists: bool
    labels: str | None


def plain_parts(path: str) -> list[str]:
    """The parts of a path of any system, without a drive, ``.`` and ``..``."""
    parts: list[str] = []
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", ".") and not (not parts and part.endswith(":")):
            parts.append(part)
    return parts


def label_path(image: str) -> str:
    """The label file of an image as Ultralytics has it: the last folder ``images`` is ``labels``."""
    parts = item_id(image).split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return "/".join(parts) + ".txt"


class Files:
    """The images, texts and folders of a source, to be found by paths that were written elsewhere.

    Parameters:
        source: the folder.
    """

    def __init__(self, source: SourceFolder) -> None:
        self.source = source
        self.images = {matching_form(name): name for name in source.images}
        self.texts = {matching_form(name): name for name in source.files if name.lower().endswith(".txt")}
        self.used: set[str] = set()

    @cached_property
    def all(self) -> dict[str, str]:
        """All files by the form in which names are compared."""
        return {matching_form(name): name for name in self.source.files}

    @cached_property
    def folders(self) -> dict[str, str]:
        """All folders that have files, likewise."""
        found = {}
        for folder in {name.rpartition("/")[0] for name in self.source.files}:
            parts = folder.split("/") if folder else []
            for stop in range(1, len(parts) + 1):
                name = "/".join(parts[:stop])
                found[matching_form(name)] = name
        return found

    @staticmethod
    def find(path: str, base: str, known: Mapping[str, str]) -> str | None:
        """What a path means: the longest tail of it that is there, below ``base`` or below the folder itself."""
        path = path.replace("\\", "/")
        base = unicodedata.normalize("NFC", base)
        first = matching_form(posixpath.normpath(f"{base}/{path}" if base else path))
        if first in known:
            return known[first]
        parts = matching_form("/".join(plain_parts(path))).split("/")
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            found = known.get(f"{base}/{tail}") if base else None
            found = found or known.get(tail)
            if found is not None:
                return found
        return None

    def images_in(self, folder: str) -> list[str]:
        """All images below a folder, ``""`` for all."""
        prefix = f"{folder}/" if folder else ""
        return [name for name in self.source.images if name.startswith(prefix)]

    def labels_of(self, image: str, beside_first: bool = False) -> str | None:
        """The label file of an image: in the folder ``labels`` for ``images``, or beside the image.

        Parameters:
            image: its path.
            beside_first: look beside the image first, as Darknet does.
        """
        beside = matching_form(f"{item_id(image)}.txt")
        stem = beside[: -len(".txt")]
        if beside_first and beside in self.texts:
            return self._use(beside)
        parts = stem.split("/")
        place = next((at for at in range(len(parts) - 2, -1, -1) if parts[at].lower() in IMAGE_FOLDERS), None)
        for folder in LABEL_FOLDERS:
            if place is None:
                name = f"{folder}/{beside}"
            else:
                name = "/".join([*parts[:place], folder, *parts[place + 1 :]]) + ".txt"
            if name in self.texts:
                return self._use(name)
        return self._use(beside) if beside in self.texts else None

    def _use(self, form: str) -> str:
        self.used.add(form)
        return self.texts[form]

    def unused(self) -> list[str]:
        """Label files that belong to no image: texts in the folders that used ones are in."""
        folders = {name.rpartition("/")[0] for name in self.used}
        return [
            name
            for form, name in self.texts.items()
            if form not in self.used and form.rpartition("/")[0] in folders - {""}
        ]


def image_ids(paths: Sequence[str], subset: str) -> list[str]:
    """The ids of the images of a subset: paths without the folders that stand for the subset.

    If two images would have the same id, ids are their whole paths; images that differ in their extension only keep it.
    """
    ids = [_short(path, subset) for path in paths]
    whole = [item_id(path) for path in paths]
    if len(set(ids)) < len(set(whole)):
        ids = whole
    seen: set[str] = set()
    for place, path in enumerate(paths):
        if ids[place] in seen:
            ids[place] += path[len(whole[place]) :]
        seen.add(ids[place])
    return ids


def _short(path: str, subset: str) -> str:
    name = item_id(path) if image_extension(path) else path
    for prefix in (f"obj_{subset}_data/", f"images/{subset}/", f"{subset}/images/"):
        if name.startswith(prefix):
            return name[len(prefix) :]
    parts = name.split("/")
    place = next((at for at, part in enumerate(parts[:-1]) if part.lower() in IMAGE_FOLDERS), None)
    if place is None:
        return "/".join(parts[1:]) or name
    rest = parts[place + 1 :]
    if len(rest) > 1 and rest[0].lower().startswith(subset.lower()):
        rest = rest[1:]
    return "/".join(rest)
