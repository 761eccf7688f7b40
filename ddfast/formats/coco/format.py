"""COCO: JSON files of images, annotations and categories, one for each task and subset."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ddfast.annotated.format import Capabilities, Detection, Format
from ddfast.errors import FormatError
from ddfast.formats.coco.files import TASKS, annotation_files
from ddfast.formats.coco.options import CocoReadOptions, CocoWriteOptions
from ddfast.formats.coco.reading import CocoTables
from ddfast.formats.coco.writing import write

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.annotated.tables import Tables

LAYOUT = """\
coco/
├── annotations/
│   ├── instances_train.json        one file for each task and subset:
│   ├── person_keypoints_train.json TASK_SUBSET.json
│   └── captions_train.json
└── images/
    └── train/                      a folder for each subset, or one for all
        ├── 000000000009.jpg
        └── ...
"""


class Coco(Format):
    """All tasks of COCO."""

    name = "coco"
    title = "COCO: boxes, polygons, masks, keypoints, captions, labels"
    layout = LAYOUT
    holds = Capabilities(
        types=frozenset({"bbox", "polygon", "mask", "points", "caption", "label"}),
        fields=frozenset({"id", "group", "score"}),
        attributes=True,
        item_attributes=frozenset({"id"}),
    )
    ReadOptions = CocoReadOptions
    WriteOptions = CocoWriteOptions
    tasks: ClassVar[tuple[str, ...]] = TASKS

    def detect(self, source: SourceFolder) -> Detection | None:
        files = annotation_files(source, self.tasks)
        if not files:
            return None
        confidence = 95 if len(self.tasks) > 1 else 60
        return Detection(self.name, confidence, f"{files[0].name} has the members of a COCO file")

    def read(self, source: SourceFolder, options: CocoReadOptions, report: Report) -> Tables:
        """The tables of all annotation files of the tasks.

        Raises:
            FormatError: there is no such file, or one makes no sense.
        """
        files = annotation_files(source, self.tasks)
        if not files:
            raise FormatError(
                f"{source} has no annotation files of {self.name}, such as instances_train.json"
            )
        tables = CocoTables(source, report, options.extra)
        for file in files:
            tables.read(file)
        return tables.finish()

    def write(
        self, tables: Tables, output: OutputFolder, options: CocoWriteOptions, report: Report, media: bool
    ) -> None:
        """Write a file for each task and subset, and the images."""
        write(tables, output, options, report, media, self.tasks)


class CocoImageInfo(Coco):
    """Images only."""

    name = "coco_image_info"
    title = "COCO image info: images without annotations"
    tasks = ("image_info",)


class CocoInstances(Coco):
    """Objects."""

    name = "coco_instances"
    title = "COCO instances: boxes, polygons, masks"
    tasks = ("instances",)


class CocoPersonKeypoints(Coco):
    """Keypoints."""

    name = "coco_person_keypoints"
    title = "COCO person keypoints"
    tasks = ("person_keypoints",)


class CocoCaptions(Coco):
    """Captions."""

    name = "coco_captions"
    title = "COCO captions"
    tasks = ("captions",)


class CocoLabels(Coco):
    """Labels of images, as Datumaro writes them."""

    name = "coco_labels"
    title = "COCO labels: labels of whole images"
    tasks = ("labels",)
