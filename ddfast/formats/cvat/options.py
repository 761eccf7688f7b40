"""Options of reading and writing CVAT."""

from __future__ import annotations

from dataclasses import dataclass

from ddfast.annotated.format import option


@dataclass(frozen=True)
class CvatReadOptions:
    """Options of reading CVAT."""

    interpolate: bool = option(False, "add the shapes of tracks in the frames between their keyframes")
    keep_outside: bool = option(True, "keep the shapes of frames that the object of a track has left")


@dataclass(frozen=True)
class CvatWriteOptions:
    """Options of writing CVAT."""

    mode: str = option(
        "auto",
        "auto (tracks where annotations have track numbers), annotation (images, without tracks),"
        " or interpolation (tracks)",
        ("auto", "annotation", "interpolation"),
    )
    reindex: bool = option(False, "number images from 0 on instead of keeping their frame numbers")
    allow_undeclared_attrs: bool = option(
        True, "write attributes of annotations that the labels do not have, too"
    )
    only_annotated: bool = option(False, "leave out items without annotations")
    image_ext: str = option("", "extension of images without one (default: .jpg)")
