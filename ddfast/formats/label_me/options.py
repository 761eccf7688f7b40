"""Options of reading and writing LabelMe's XML files."""

from __future__ import annotations

from dataclasses import dataclass

from ddfast.annotated.format import option


@dataclass(frozen=True)
class LabelMeReadOptions:
    """Options of reading LabelMe's XML files."""

    deleted: bool = option(False, "read objects that were deleted, too: their status is deleted")
    scribbles: bool = option(
        False, "read the strokes that masks were made from, too: as masks with the attribute scribble"
    )


@dataclass(frozen=True)
class LabelMeWriteOptions:
    """Options of writing LabelMe's XML files."""

    save_dataset_meta: bool = option(True, "write the labels and their order into dataset_meta.json")
    image_ext: str = option("", "extension of images without one (default: .jpg)")
