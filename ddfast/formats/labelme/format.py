"""labelme: a JSON file of shapes beside each image."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ddfast.annotated.format import Capabilities, Detection, Format
from ddfast.errors import FormatError
from ddfast.formats.labelme.options import LabelmeReadOptions, LabelmeWriteOptions
from ddfast.formats.labelme.reading import LabelmeReader
from ddfast.formats.labelme.writing import uneven_ellipses, write

if TYPE_CHECKING:
    from collections import Counter

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.annotated.tables import Tables

LAYOUT = """\
labelme/
├── labels.txt                      optional: one label a line, in their order
└── train/                          a folder for each subset, or none
    ├── 0001.jpg
    ├── 0001.json                   shapes of 0001.jpg
    └── folder/
        ├── 0002.jpg
        └── 0002.json
"""

SHAPES = re.compile(rb'[{,]\s*"shapes"\s*:')
IMAGE = re.compile(rb'[{,]\s*"image(Data|Path)"\s*:')

# JSON files that are looked at to recognise the format.
SOME = 20


class Labelme(Format):
    """JSON files of wkentaro's labelme, and of programs that write the same."""

    name = "labelme"
    title = "labelme (JSON): polygons, boxes, circles, lines, points, masks"
    layout = LAYOUT
    holds = Capabilities(
        types=frozenset({"bbox", "polygon", "polyline", "points", "mask", "ellipse", "label"}),
        fields=frozenset({"group", "score"}),
        attributes=True,
        item_attributes=True,
    )
    ReadOptions = LabelmeReadOptions
    WriteOptions = LabelmeWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        for name in source.candidates(".json")[:SOME]:
            head = source.head(name)
            if SHAPES.search(head):
                return Detection(self.name, 95, f"{name} has shapes")
            if IMAGE.search(head):
                return Detection(self.name, 90, f"{name} has the path or the data of an image")
        return None

    def read(self, source: SourceFolder, options: LabelmeReadOptions, report: Report) -> Tables:
        """The tables of all JSON files with shapes, and of images without one.

        Raises:
            FormatError: there is no such file.
        """
        reader = LabelmeReader(source, options, report)
        tables = reader.read()
        if not reader.count and not report.problem_count:
            raise FormatError(f"{source} has no JSON files of labelme")
        return tables

    def write(
        self, tables: Tables, output: OutputFolder, options: LabelmeWriteOptions, report: Report, media: bool
    ) -> None:
        """Write a JSON file for each item, and its image beside it."""
        write(tables, output, options, report, media)

    def losses(self, tables: Tables, options: LabelmeWriteOptions) -> Counter[str]:
        """Also ellipses that are no circles."""
        lost = super().losses(tables, options)
        lost["ellipses that are no circles"] = int(uneven_ellipses(tables.annotations).sum())
        return +lost
