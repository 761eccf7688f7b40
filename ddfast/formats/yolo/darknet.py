"""Darknet's YOLO: obj.data, obj.names, a list of images for each subset, label files beside the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddfast.annotated.format import Capabilities, Detection, Format
from ddfast.annotated.kinds import AnnotationType
from ddfast.formats.yolo.darknet_source import DarknetSource, data_files
from ddfast.formats.yolo.darknet_target import write
from ddfast.formats.yolo.meaning import Layout
from ddfast.formats.yolo.options import DarknetReadOptions, DarknetWriteOptions
from ddfast.formats.yolo.reading import LabelReader, given_sizes, note_unused
from ddfast.formats.yolo.selection import Selection

if TYPE_CHECKING:
    from collections import Counter

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.annotated.tables import Tables

LAYOUT = """\
yolo/
├── obj.data                        where the others are: names = data/obj.names, train = data/train.txt, ...
├── obj.names                       the name of a class in each line
├── train.txt                       the path of an image in each line; a list for each subset
├── valid.txt
├── obj_train_data/                 a folder for each subset
│   ├── 000000000009.jpg
│   ├── 000000000009.txt            an object in each line: class, x and y of the centre, width, height
│   └── ...
└── obj_valid_data/
    └── ...
"""


class Yolo(Format):
    """YOLO as Darknet reads it."""

    name = "yolo"
    title = "YOLO of Darknet: boxes"
    layout = LAYOUT
    holds = Capabilities(types=frozenset({"bbox"}))
    ReadOptions = DarknetReadOptions
    WriteOptions = DarknetWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        found = data_files(source)
        return Detection(self.name, 95, f"{found[0]} says where names and lists are") if found else None

    def read(self, source: SourceFolder, options: DarknetReadOptions, report: Report) -> Tables:
        """The tables of all subsets that the file names.

        Raises:
            FormatError: there is no such file, or what it refers to makes no sense.
        """
        darknet = DarknetSource(source, report)
        names, entries = darknet.names(), darknet.entries()
        sizes = given_sizes(source, options.image_info, report)
        reader = LabelReader(source, names, Layout("detect"), sizes, report)
        tables = reader.read(entries, {AnnotationType.label: names.labels})
        note_unused(darknet.files, report)
        return tables

    def write(
        self, tables: Tables, output: OutputFolder, options: DarknetWriteOptions, report: Report, media: bool
    ) -> None:
        """Write a list and a folder of label files for each subset."""
        write(tables, output, options, report, media)

    def losses(self, tables: Tables, options: DarknetWriteOptions) -> Counter[str]:
        return Selection(tables, "detect", options.skip_crowd).losses()
