"""Open Images: CSV files of labels, boxes and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddfast.annotated.format import Capabilities, Detection, Format
from ddfast.errors import FormatError
from ddfast.formats.open_images.layout import (
    BOXES,
    FLAGS,
    FULL_LIST,
    LABELS,
    LISTS,
    MACHINE,
    MASKS,
    csv_names,
)
from ddfast.formats.open_images.options import OpenImagesReadOptions, OpenImagesWriteOptions
from ddfast.formats.open_images.reading import OpenImagesReader
from ddfast.formats.open_images.writing import write

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.annotated.tables import Tables

LAYOUT = """\
open_images/
├── annotations/
│   ├── oidv6-class-descriptions.csv    or class-descriptions.csv, or class-descriptions-boxable.csv
│   ├── bbox_labels_600_hierarchy.json  optional, as all others
│   ├── image_ids_and_rotation.csv      or a list for each subset:
│   ├── train-images-with-rotation.csv
│   ├── train-annotations-human-imagelabels.csv
│   ├── train-annotations-bbox.csv
│   ├── train-annotations-object-segmentation.csv
│   └── images.meta                     sizes of images: id, height, width
├── images/
│   └── train/
│       └── 0001eeaf4aed83f9.jpg
└── masks/
    └── train/
        └── 0001eeaf4aed83f9_m0cmf2_1.png
"""

FILES = (BOXES, LABELS, MASKS, MACHINE, FULL_LIST, LISTS)


class OpenImages(Format):
    """Open Images, versions 4 to 6."""

    name = "open_images"
    title = "Open Images (v4 to v6): labels of images, boxes, masks"
    layout = LAYOUT
    holds = Capabilities(
        types=frozenset({"label", "bbox", "mask"}),
        fields=frozenset({"score", "source", "group"}),
        attributes=frozenset({*FLAGS.values(), "box_id", "predicted_iou", "score"}),
    )
    ReadOptions = OpenImagesReadOptions
    WriteOptions = OpenImagesWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        for pattern in FILES:
            found = csv_names(source, pattern)
            if found:
                return Detection(self.name, 90, f"{found[0].path} is a file of Open Images")
        return None

    def read(self, source: SourceFolder, options: OpenImagesReadOptions, report: Report) -> Tables:
        """The tables of all files.

        Raises:
            FormatError: there are none.
        """
        if self.detect(source) is None:
            raise FormatError(f"{source} has no files of Open Images, such as train-annotations-bbox.csv")
        return OpenImagesReader(source, options, report).read()

    def write(
        self,
        tables: Tables,
        output: OutputFolder,
        options: OpenImagesWriteOptions,
        report: Report,
        media: bool,
    ) -> None:
        """Write the files of all subsets, and the images."""
        write(tables, output, options, report, media)
