"""Where the files of a LabelMe dataset are: annotations, images, masks and scribbles."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ddfast.annotated.image_files import ImageFiles, ItemKeys
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.paths import inner_path, item_id
from ddfast.errors import EscapingPathError

if TYPE_CHECKING:
    from ddfast.annotated.source_folder import SourceFolder

__all__ = ["ANNOTATIONS", "IMAGES", "MASKS", "SCRIBBLES", "LabelMeFiles", "LabelMeName"]

ANNOTATIONS = "Annotations"
IMAGES = "Images"
MASKS = "Masks"
SCRIBBLES = "Scribbles"


class LabelMeName:
    """What the path of an XML file says.

    Attributes:
        base: the folder that has the folder of annotations; with ``/`` at the end, or empty.
        inner: path in the folder of annotations, without extension.
    """

    def __init__(self, name: str) -> None:
        parts = name.split("/")
        lower = [part.lower() for part in parts[:-1]]
        place = lower.index(ANNOTATIONS.lower()) + 1 if ANNOTATIONS.lower() in lower else 0
        self.base = "".join(f"{part}/" for part in parts[: max(place - 1, 0)])
        self.inner = "/".join(parts[place:])[: -len(".xml")]


class LabelMeFiles:
    """Finds the files that XML files name, and gives items their subsets and ids.

    Parameters:
        source: the folder.
    """

    def __init__(self, source: SourceFolder) -> None:
        self._images = ImageFiles(source)
        self._keys = ItemKeys()
        self._folders: set[str] = set()

    def item(self, name: LabelMeName, folder: str | None, file: str) -> tuple[str, str, str | None]:
        """Subset and id of an item, and the relative path of its image or None.

        Parameters:
            name: of the XML file.
            folder: that it names; None if it names none.
            file: name of the image.
        """
        file = safe_path(file or posixpath.basename(name.inner))
        subset = posixpath.dirname(name.inner) if folder is None else safe_path(folder)
        inner = f"{subset}/{file}" if subset else file
        paths = [f"{name.base}{IMAGES}/{inner}", f"{name.base}{inner}", f"{name.base}{IMAGES}/{file}"]
        paths.append(f"{name.base}{posixpath.dirname(name.inner)}/{posixpath.basename(file)}")
        image = self._images.find(
            paths,
            [f"{name.base}{IMAGES}/{name.inner}", f"{name.base}{name.inner}"],
            posixpath.basename(file),
        )
        self._folders.add(subset)
        subset = subset or DEFAULT_SUBSET
        choices = [(subset, item_id(file)), (subset, name.inner), (subset, item_id(file))]
        return *self._keys.first_free(choices), image

    def mask(self, name: LabelMeName, kind: str, folder: str, file: str) -> str | None:
        """The relative path of a mask or scribble, or None if it does not exist."""
        file, folder = safe_path(file), safe_path(folder)
        inner = f"{folder}/{file}" if folder else file
        own = posixpath.dirname(name.inner)
        paths = [inner, f"{own}/{file}" if own else file, file]
        return self._images.find([f"{name.base}{kind}/{path}" for path in paths])

    def without_file(self) -> Iterator[tuple[str, str, str]]:
        """Subset, id and relative path of images that no XML file has; masks and scribbles are left out."""
        for path in self._images.unused():
            parts = path.split("/")
            lower = [part.lower() for part in parts[:-1]]
            if MASKS.lower() in lower or SCRIBBLES.lower() in lower:
                continue
            inner = parts[lower.index(IMAGES.lower()) + 1 :] if IMAGES.lower() in lower else parts
            cut = next((n for n in range(len(inner) - 1, 0, -1) if "/".join(inner[:n]) in self._folders), 0)
            cut = cut or min(len(inner) - 1, 1)
            subset = "/".join(inner[:cut]) or DEFAULT_SUBSET
            found = item_id("/".join(inner[cut:]))
            yield *self._keys.first_free([(subset, found), (subset, "/".join(inner[cut:]))]), path


def safe_path(name: str) -> str:
    """A path that an XML file names; of one that leads out of the folder only the name of the file."""
    try:
        return inner_path(name).strip("/")
    except EscapingPathError:
        return name.replace("\\", "/").rpartition("/")[2]
