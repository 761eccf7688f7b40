"""LabelMe: XML files of polygons, boxes and masks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ddfast.annotated.format import Capabilities, Detection, Format
from ddfast.errors import FormatError
from ddfast.formats.label_me.options import LabelMeReadOptions, LabelMeWriteOptions
from ddfast.formats.label_me.reading import LabelMeReader
from ddfast.formats.label_me.writing import write

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.annotated.tables import Tables

LAYOUT = """\
label_me/
├── dataset_meta.json               optional: the labels in their order
├── Annotations/
│   └── train/                      a folder for each subset
│       └── 0001.xml
├── Images/
│   └── train/
│       └── 0001.jpg
├── Masks/
│   └── train/
│       └── 0001_mask_0.png         of object 0
└── Scribbles/                      the strokes that masks were made from
    └── train/
        └── 0001_scribble_0.png
"""

ROOT = re.compile(rb"<annotation[\s>]")
OWN = re.compile(rb"<(pt|segm|sourceAnnotation|nrows)>")
OTHERS = re.compile(rb"<(bndbox|actions|segmented)>")

# XML files that are looked at to recognise the format.
SOME = 20


class LabelMe(Format):
    """XML files of MIT's LabelMe."""

    name = "label_me"
    title = "LabelMe (XML): polygons, boxes, masks"
    layout = LAYOUT
    holds = Capabilities(
        types=frozenset({"bbox", "polygon", "mask"}),
        fields=frozenset({"id", "group", "author", "created"}),
        attributes=True,
    )
    ReadOptions = LabelMeReadOptions
    WriteOptions = LabelMeWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        for name in source.candidates(".xml")[:SOME]:
            head = source.head(name)
            own = OWN.search(head)
            if ROOT.search(head) and own and not OTHERS.search(head):
                return Detection(self.name, 92, f"{name} has the element {own[1].decode()} of LabelMe")
        return None

    def read(self, source: SourceFolder, options: LabelMeReadOptions, report: Report) -> Tables:
        """The tables of all XML files, and of images without one.

        Raises:
            FormatError: there is no such file.
        """
        reader = LabelMeReader(source, options, report)
        tables = reader.read()
        if not reader.count and not report.problem_count:
            raise FormatError(f"{source} has no XML files of LabelMe")
        return tables

    def write(
        self, tables: Tables, output: OutputFolder, options: LabelMeWriteOptions, report: Report, media: bool
    ) -> None:
        """Write an XML file for each item, the masks, and the images."""
        write(tables, output, options, report, media)
