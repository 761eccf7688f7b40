"""Which files of a folder are those of Open Images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ddfast.annotated.source_folder import SourceFolder

__all__ = [
    "BOXES", "CLASSES", "FLAGS", "FULL_LIST", "HIERARCHY", "IMAGE_COLUMNS", "LABELS", "LISTS", "MACHINE", "MASKS",
    "OTHERS", "CsvName", "csv_names",
]  # fmt: skip

FULL_LIST = re.compile(r"image_ids_and_rotation\.csv")
LISTS = re.compile(r"(?P<subset>.+)-images-(\w+-)*with-rotation\.csv")
CLASSES = re.compile(r"(oidv\d+-)?class-descriptions(-boxable)?\.csv")
LABELS = re.compile(r"(?P<subset>.+)-annotations-human-imagelabels(-boxable)?\.csv")
MACHINE = re.compile(r"(?P<subset>.+)-annotations-machine-imagelabels\.csv")
BOXES = re.compile(r"(?P<subset>.+)-annotations-bbox\.csv")
MASKS = re.compile(r"(?P<subset>.+)-annotations-object-segmentation\.csv")
OTHERS = re.compile(r".+-annotations-(vrd|point-labels).*\.csv")
HIERARCHY = "bbox_labels_600_hierarchy.json"

VERSION = re.compile(r"oidv\d+-")

FLAGS = {
    "IsOccluded": "occluded",
    "IsTruncated": "truncated",
    "IsGroupOf": "is_group_of",
    "IsDepiction": "is_depiction",
    "IsInside": "is_inside",
}
"""Columns of boxes that are 1, 0 or -1 for unknown, and the attributes that they are."""

IMAGE_COLUMNS = (
    "ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author", "Title",
    "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation",
)  # fmt: skip


class CsvName(NamedTuple):
    """A file.

    Attributes:
        path: relative.
        subset: that its name says; empty if it says none.
    """

    path: str
    subset: str


def csv_names(source: SourceFolder, pattern: re.Pattern[str]) -> list[CsvName]:
    """The files whose name has a form, in the folder ``annotations`` or in that of the dataset."""
    found = []
    for path in source.files:
        folder, _, base = path.rpartition("/")
        match = pattern.fullmatch(base) if folder.lower() in ("", "annotations") else None
        if match:
            subset = match.groupdict().get("subset") or ""
            found.append(CsvName(path, VERSION.sub("", subset, count=1)))
    return found
