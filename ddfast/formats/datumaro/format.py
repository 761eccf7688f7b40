"""Datumaro's own format: a JSON file of items with their annotations for each subset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddfast.annotated.format import FIELDS, Capabilities, Detection, Format
from ddfast.errors import FormatError
from ddfast.formats.datumaro.options import DatumaroReadOptions, DatumaroWriteOptions
from ddfast.formats.datumaro.reading import DatumaroTables, annotation_files
from ddfast.formats.datumaro.writing import write

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.annotated.tables import Tables

LAYOUT = """\
dataset/
├── annotations/
│   ├── train.json                  a file for each subset
│   └── val.json
├── images/
│   └── train/                      a folder for each subset
│       ├── cats/1.jpg
│       └── ...
├── point_clouds/
└── videos/
"""


class Datumaro(Format):
    """Datumaro's JSON: all types of annotations."""

    name = "datumaro"
    title = "Datumaro: JSON with all types of annotations"
    layout = LAYOUT
    holds = Capabilities(
        types=frozenset({
            "bbox", "polygon", "polyline", "points", "skeleton", "mask", "label", "caption", "cuboid_3d", "ellipse",
            "span",
        }),
        fields=frozenset({"id", "z_order", *FIELDS}),
        attributes=True,
        item_attributes=True,
        media=frozenset({"image", "point_cloud", "video"}),
    )  # fmt: skip
    ReadOptions = DatumaroReadOptions
    WriteOptions = DatumaroWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        files = annotation_files(source)
        if not files:
            return None
        return Detection(self.name, 95, f"{files[0][0]} has the members of Datumaro's JSON")

    def read(self, source: SourceFolder, options: DatumaroReadOptions, report: Report) -> Tables:
        """The tables of all annotation files.

        Raises:
            FormatError: there is no such file, or one makes no sense.
        """
        files = annotation_files(source)
        if not files:
            raise FormatError(f"{source} has no annotation files of Datumaro, such as annotations/train.json")
        tables = DatumaroTables(source, report)
        for name, subset in files:
            tables.read(name, subset)
        return tables.finish()

    def write(
        self,
        tables: Tables,
        output: OutputFolder,
        options: DatumaroWriteOptions,
        report: Report,
        media: bool,
    ) -> None:
        """Write a file for each subset, and the media."""
        write(tables, output, options, report, media)
