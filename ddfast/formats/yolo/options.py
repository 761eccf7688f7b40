"""Options of reading and writing YOLO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ddfast.annotated.format import option

TASKS = ("detect", "segment", "obb", "pose", "classify")


@dataclass(frozen=True)
class DarknetReadOptions:
    """Options of reading Darknet's layout."""

    image_info: Any = option(
        None, "file with lines 'name height width', or a map of them: sizes of images that are not there"
    )


@dataclass(frozen=True)
class UltralyticsReadOptions(DarknetReadOptions):
    """Options of reading Ultralytics' layout."""

    task: str = option("auto", "what rows mean (default: what data.yaml says, else by row)", ("auto", *TASKS))


@dataclass(frozen=True)
class WriteOptions:
    """Options of writing that both layouts have."""

    image_ext: str = option("", "extension of images without one (default: .jpg)")
    decimals: int | None = option(
        None, "round coordinates to so many decimals (default: as exact as numbers are)"
    )
    skip_crowd: bool = option(False, "leave out crowds instead of writing them as objects")
    only_annotated: bool = option(
        False, "leave out items without annotations, but for those with the status 'annotated'"
    )


@dataclass(frozen=True)
class DarknetWriteOptions(WriteOptions):
    """Options of writing Darknet's layout."""

    add_path_prefix: bool = option(True, "begin paths in obj.data and in lists with data/")


@dataclass(frozen=True)
class UltralyticsWriteOptions(WriteOptions):
    """Options of writing Ultralytics' layout."""

    task: str = option("auto", "what rows mean (default: what the annotations allow)", ("auto", *TASKS))
