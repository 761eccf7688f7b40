"""Folders of images without annotations."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.format import Capabilities, Detection, Format, losses, option
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.tables import Tables
from ddfast.errors import FormatError
from ddfast.formats.image_items import ids_of, image_table, split_subsets, subsets_of, with_image

if TYPE_CHECKING:
    from collections import Counter

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder

LAYOUT = """\
images/
├── 1.jpg
└── folder/
    └── 2.png                       the item folder/2
"""


@dataclass(frozen=True)
class ImageDirReadOptions:
    """Options of reading folders of images."""

    subset: str = option("", "name of the subset of the images (default: default)")
    subset_dirs: bool = option(False, "the first folder of an image is its subset")


@dataclass(frozen=True)
class ImageDirWriteOptions:
    """Options of writing folders of images."""

    image_ext: str = option("", "extension of images without one (default: .jpg)")
    subset_dirs: bool | None = option(None, "a folder for each subset (default: if there are several)")


class ImageDir(Format):
    """Images, with their folders."""

    name = "image_dir"
    title = "Image folder: images without annotations"
    layout = LAYOUT
    holds = Capabilities()
    ReadOptions = ImageDirReadOptions
    WriteOptions = ImageDirWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        if source.chosen is not None or not source.images:
            return None
        alone = len(source.images) == len(source.files)
        return Detection(
            self.name, 10 if alone else 1, f"{len(source.images):,} of {len(source.files):,} files are images"
        )

    def read(self, source: SourceFolder, options: ImageDirReadOptions, report: Report) -> Tables:
        """The images of the folder and all folders below it.

        Raises:
            FormatError: there are none.
        """
        names = [source.chosen] if source.chosen is not None else source.images
        if not names:
            raise FormatError(f"{source} has no images")
        note_other_files(source, report)
        subsets, inner = split_subsets(names, options.subset_dirs, options.subset)
        ids = ids_of(inner, report, subsets)
        places = [
            os.fspath(source.root / subset) if name != own else os.fspath(source.root)
            for subset, name, own in zip(subsets, names, inner, strict=True)
        ]
        return Tables.of(image_table(ids, subsets, places, inner), TableBuilder.of_annotations().finish(), {})

    def losses(self, tables: Tables, options: ImageDirWriteOptions) -> Counter[str]:
        return losses_with_images(tables, self.holds)

    def write(
        self,
        tables: Tables,
        output: OutputFolder,
        options: ImageDirWriteOptions,
        report: Report,
        media: bool,
    ) -> None:
        """Write the images, which are all that there is to write, whether ``media`` says so or not."""
        names, subsets = file_names(tables, options.image_ext), subsets_of(tables)
        folders = len(set(subsets)) > 1 if options.subset_dirs is None else options.subset_dirs
        if folders:
            names = [f"{subset}/{name}" for subset, name in zip(subsets, names, strict=True)]
        rows = np.flatnonzero(with_image(tables)).tolist()
        report.counts["items"] += len(rows)
        save_images(tables, rows, [names[row] for row in rows], output, report)


def note_other_files(source: SourceFolder, report: Report) -> None:
    """Tell how many files are no images."""
    others = len(source.files) - len(source.images)
    if others and source.chosen is None:
        report.notes.append(f"{others:,} files of {source} are not images and were left out")


def losses_with_images(tables: Tables, holds: Capabilities) -> Counter[str]:
    """What a format loses whose items are image files."""
    lost = losses(tables, holds)
    lost["items without an image"] += tables.items.num_rows - int(with_image(tables).sum())
    return +lost
