"""Ultralytics' YOLO: data.yaml, folders of images and of labels; boxes, polygons, rotated boxes, poses, classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddfast.annotated.format import Capabilities, Detection, Format
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.formats.yolo.classes import read_classes, write_classes
from ddfast.formats.yolo.meaning import Layout
from ddfast.formats.yolo.options import UltralyticsReadOptions, UltralyticsWriteOptions
from ddfast.formats.yolo.reading import LabelReader, given_sizes, note_unused
from ddfast.formats.yolo.selection import Selection, task_of
from ddfast.formats.yolo.ultralytics_source import UltralyticsSource, configurations
from ddfast.formats.yolo.ultralytics_target import write

if TYPE_CHECKING:
    from collections import Counter

    from ddfast.annotated.categories import Categories
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.annotated.tables import Tables
    from ddfast.formats.yolo.names import ClassNames

LAYOUT = """\
yolo/
├── data.yaml                       where the images of each subset are, and the names of classes
├── train.txt                       the path of an image in each line; data.yaml can name folders instead
├── val.txt
├── images/
│   ├── train/                      a folder for each subset
│   │   ├── 000000000009.jpg
│   │   └── ...
│   └── val/
└── labels/
    ├── train/                      as the images, with "labels" for "images"
    │   ├── 000000000009.txt        an object in each line
    │   └── ...
    └── val/

classify:
yolo/
├── data.yaml                       the order of classes
└── train/                          a folder for each subset
    ├── cat/                        and in it for each class
    │   ├── 1.jpg
    │   └── ...
    └── dog/
"""


class YoloUltralytics(Format):
    """YOLO as Ultralytics reads it."""

    name = "yolo_ultralytics"
    title = "YOLO of Ultralytics: boxes, polygons, rotated boxes, poses or classes"
    layout = LAYOUT
    holds = Capabilities(
        types=frozenset({"bbox", "polygon", "mask", "points", "label"}), fields=frozenset({"rotation"})
    )
    ReadOptions = UltralyticsReadOptions
    WriteOptions = UltralyticsWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        found = configurations(source)
        return Detection(self.name, 95, f"{found[0]} names classes and subsets") if found else None

    def read(self, source: SourceFolder, options: UltralyticsReadOptions, report: Report) -> Tables:
        """The tables of all subsets that data.yaml names.

        Raises:
            FormatError: there is no such file, or what it refers to makes no sense.
        """
        if options.task == "classify":
            return read_classes(source, report)
        yolo = UltralyticsSource(source, report)
        task = yolo.task if options.task == "auto" else options.task
        if task == "classify":
            return read_classes(source, report)
        names = yolo.names()
        layout = Layout(task, *yolo.points()) if task == "pose" else Layout(task)
        sizes = given_sizes(source, options.image_info, report)
        tables = LabelReader(source, names, layout, sizes, report).read(
            yolo.entries(), categories(yolo, names, layout)
        )
        note_unused(yolo.files, report)
        return tables

    def write(
        self,
        tables: Tables,
        output: OutputFolder,
        options: UltralyticsWriteOptions,
        report: Report,
        media: bool,
    ) -> None:
        """Write data.yaml, and a list and a folder of label files for each subset; or folders of classes."""
        task = task_of(tables) if options.task == "auto" else options.task
        if task == "classify":
            write_classes(tables, output, options, report, media)
        else:
            write(tables, output, options, report, media, task)

    def losses(self, tables: Tables, options: UltralyticsWriteOptions) -> Counter[str]:
        task = task_of(tables) if options.task == "auto" else options.task
        return Selection(tables, task, options.skip_crowd).losses()


def categories(
    yolo: UltralyticsSource, names: ClassNames, layout: Layout
) -> dict[AnnotationType, Categories]:
    """The labels, and the points of each label if there are poses."""
    found: dict[AnnotationType, Categories] = {AnnotationType.label: names.labels}
    if layout.task == "pose":
        given = yolo.point_names()
        points = PointsCategories()
        for label, number in enumerate(names.numbers.tolist()):
            points.add(label, given.get(number) or [str(place) for place in range(layout.points)])
        found[AnnotationType.points] = points
    return found
