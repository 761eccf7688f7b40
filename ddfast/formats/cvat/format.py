"""CVAT: XML files 1.1 of images and videos."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.format import Capabilities, Detection, Format
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.tables import codes, integers
from ddfast.errors import FormatError
from ddfast.formats.cvat.attributes import is_outside
from ddfast.formats.cvat.options import CvatReadOptions, CvatWriteOptions
from ddfast.formats.cvat.reading import CvatTables
from ddfast.formats.cvat.writing import write

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.annotated.tables import Tables

LAYOUT = """\
cvat/
├── train.xml                a file for each subset; CVAT itself writes annotations.xml
└── images/
    └── train/               a folder for each subset, or one for all
        ├── 000000000009.jpg
        └── ...
"""

ROOT = re.compile(rb"<annotations[\s>]")
CONTENT = re.compile(rb"<version>\s*1\.\d|<meta[\s/>]|<(image|track)\s")
LOOKED_AT = 20
"""XML files whose first bytes are read to recognise a folder."""


class Cvat(Format):
    """Images and videos."""

    name = "cvat"
    title = "CVAT 1.1: boxes, polygons, masks, skeletons, tags; tracks in videos"
    layout = LAYOUT
    holds = Capabilities(
        types=frozenset({
            "bbox", "ellipse", "polygon", "polyline", "points", "mask", "skeleton", "label",
        }),
        fields=frozenset({"group", "rotation", "source", "track", "frame"}),
        attributes=True,
        item_attributes=frozenset({"frame"}),
    )  # fmt: skip
    ReadOptions = CvatReadOptions
    WriteOptions = CvatWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        names = sorted(source.candidates(".xml"), key=lambda name: name.count("/"))
        for name in islice(names, LOOKED_AT):
            if _is_cvat(source.head(name)):
                return Detection(
                    self.name, 95, f"{name} has annotations of images or tracks as CVAT writes them"
                )
        return None

    def read(self, source: SourceFolder, options: CvatReadOptions, report: Report) -> Tables:
        """The tables of all XML files.

        Raises:
            FormatError: there is no such file, or one makes no sense.
        """
        files = [name for name in source.candidates(".xml") if _is_cvat(source.head(name))]
        if not files:
            raise FormatError(f"{source} has no XML files of CVAT, such as annotations.xml")
        tables = CvatTables(source, options, report)
        for name in files:
            tables.read(name)
        return tables.finish()

    def write(
        self, tables: Tables, output: OutputFolder, options: CvatWriteOptions, report: Report, media: bool
    ) -> None:
        """Write a file for each subset, and the images."""
        write(tables, output, options, report, media)

    def losses(self, tables: Tables, options: CvatWriteOptions) -> Counter[str]:
        """Besides what the format has no place for: annotations without a label, which CVAT does not read."""
        lost = super().losses(tables, options)
        numbers, names = codes(tables.annotations, "type")
        held = np.isin(numbers, [code for code, name in enumerate(names) if name in self.holds.types])
        lost["annotations without a label"] = int(
            (held & (integers(tables.annotations, "label", -1) < 0)).sum()
        )
        labels = tables.categories.get(AnnotationType.label)
        if isinstance(labels, LabelCategories):
            lost["parents of labels"] = sum(bool(label.parent) for label in labels)
        if options.mode == "annotation":
            for column, what in (("track", "track numbers"), ("frame", "frame numbers")):
                lost[what] = tables.annotations.num_rows - _nulls(tables, column)
            lost["shapes outside of their frame"] = int((held & is_outside(tables.annotations)).sum())
        return +lost


def _nulls(tables: Tables, column: str) -> int:
    if column not in tables.annotations.column_names:
        return int(tables.annotations.num_rows)
    return int(tables.annotations.column(column).null_count)


def _is_cvat(head: bytes) -> bool:
    return bool(ROOT.search(head) and CONTENT.search(head))
