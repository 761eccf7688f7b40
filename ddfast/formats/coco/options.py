"""Options of reading and writing COCO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ddfast.annotated.format import option


@dataclass(frozen=True)
class CocoReadOptions:
    """Options of reading COCO."""

    tasks: Any = option(
        None,
        "tasks to read, such as instances,stuff (default: all, but of a subset one of instances, panoptic, stuff)",
    )
    extra: bool = option(
        False,
        "keep members of images that the model does not know, such as license and coco_url, as attributes",
    )


@dataclass(frozen=True)
class CocoResultsReadOptions:
    """Options of reading results."""

    truth: str = option(
        "", "path of the annotation file with the images and categories that results refer to"
    )


@dataclass(frozen=True)
class CocoWriteOptions:
    """Options of writing COCO."""

    segmentation_mode: str = option(
        "guess",
        "how shapes are written: guess (masks and crowds as RLE, polygons as polygons), polygons (masks are converted),"
        " or mask (polygons are converted)",
        ("guess", "polygons", "mask"),
    )
    crop_covered: bool = option(False, "cut what shapes above cover (by z_order, then order) off those below")
    allow_attributes: bool = option(True, "write attributes, an extension of the format")
    reindex: bool = option(False, "number images and annotations from 1 on instead of keeping their numbers")
    merge_images: bool = option(False, "put the images of all subsets into one folder")
    tasks: Any = option(
        None, "tasks to write, such as instances,captions (default: those that there are annotations for)"
    )
    image_ext: str = option("", "extension of images without one (default: .jpg)")


@dataclass(frozen=True)
class CocoResultsWriteOptions:
    """Options of writing results."""

    reindex: bool = option(False, "number images and categories from 1 on instead of keeping their numbers")
