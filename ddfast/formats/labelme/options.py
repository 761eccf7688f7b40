"""Options of reading and writing labelme's JSON files."""

from __future__ import annotations

from dataclasses import dataclass

from ddfast.annotated.format import option


@dataclass(frozen=True)
class LabelmeReadOptions:
    """Options of reading labelme's JSON files."""

    subsets: str = option(
        "names",
        "what the first folder is: names (the subset if it is called train, val, test or the like), folders (always"
        " the subset), or none (part of the id)",
        ("names", "folders", "none"),
    )
    flags: str = option(
        "labels",
        "what the flags of an image are: labels of the image, or attributes of the item",
        ("labels", "attributes"),
    )
    images: str = option("", "folder of the images, relative to that of the dataset, if they are not found")


@dataclass(frozen=True)
class LabelmeWriteOptions:
    """Options of writing labelme's JSON files."""

    image_data: bool = option(False, "write the images into the JSON files, too")
    image_ext: str = option("", "extension of images without one (default: .jpg)")
