"""COCO: JSON files of images, annotations and categories, one for each task and subset."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from ddfast.annotated.format import Capabilities, Detection, Format, losses
from ddfast.errors import FormatError
from ddfast.formats.coco.files import TASKS, annotation_files, result_files, with_images, without_alternatives
from ddfast.formats.coco.options import (
    CocoReadOptions,
    CocoResultsReadOptions,
    CocoResultsWriteOptions,
    CocoWriteOptions,
)
from ddfast.formats.coco.panoptic_reading import read_panoptic
from ddfast.formats.coco.reading import CocoTables
from ddfast.formats.coco.results import KINDS, read_results, write_results
from ddfast.formats.coco.subset import TYPES
from ddfast.formats.coco.writing import chosen_tasks, write

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
│   ├── captions_train.json
│   ├── panoptic_train.json
│   └── panoptic_train/             images of segments, for panoptic files
│       └── 000000000009.png
└── images/
    └── train/                      a folder for each subset, or one for all
        ├── 000000000009.jpg
        └── ...
"""


def _capabilities(*tasks: str) -> Capabilities:
    return Capabilities(
        types=frozenset(kind for task in tasks for kind in TYPES.get(task, ())),
        fields=frozenset({"id", "group", "score"}),
        attributes=True,
        item_attributes=True,
    )


class Coco(Format):
    """All tasks of COCO."""

    name = "coco"
    title = "COCO: boxes, polygons, masks, keypoints, captions, labels"
    layout = LAYOUT
    holds = _capabilities(*TASKS)
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
        source = with_images(source)
        files = annotation_files(source, chosen_tasks(self.tasks, options.tasks, all_of=True))
        if options.tasks is None:
            files, left = without_alternatives(files)
            report.notes += [
                f"{file.name} was left out: other files have the objects of subset {file.subset!r}."
                f" Pass tasks={file.task!r} to read it"
                for file in left
            ]
        if not files and result_files(source):
            raise FormatError(f"{source} has results only; read them with the format 'coco_results'")
        if not files:
            raise FormatError(
                f"{source} has no annotation files of {self.name}, such as instances_train.json"
            )
        tables = CocoTables(source, report, options.extra)
        for file in files:
            if file.task == "panoptic":
                read_panoptic(tables, file)
            else:
                tables.read(file)
        return tables.finish()

    def write(
        self, tables: Tables, output: OutputFolder, options: CocoWriteOptions, report: Report, media: bool
    ) -> None:
        """Write a file for each task and subset, and the images."""
        write(tables, output, options, report, media, self.tasks)

    def losses(self, tables: Tables, options: CocoWriteOptions) -> Counter[str]:
        """What the files of the tasks that are written have no place for."""
        tasks = chosen_tasks(self.tasks, options.tasks)
        return losses(tables, dataclasses.replace(self.holds, types=_capabilities(*tasks).types))


class CocoImageInfo(Coco):
    """Images only."""

    name = "coco_image_info"
    title = "COCO image info: images without annotations"
    tasks = ("image_info",)
    holds = _capabilities("image_info")


class CocoInstances(Coco):
    """Objects."""

    name = "coco_instances"
    title = "COCO instances: boxes, polygons, masks"
    tasks = ("instances",)
    holds = _capabilities("instances")


class CocoPersonKeypoints(Coco):
    """Keypoints."""

    name = "coco_person_keypoints"
    title = "COCO person keypoints"
    tasks = ("person_keypoints",)
    holds = _capabilities("person_keypoints")


class CocoCaptions(Coco):
    """Captions."""

    name = "coco_captions"
    title = "COCO captions"
    tasks = ("captions",)
    holds = _capabilities("captions")


class CocoLabels(Coco):
    """Labels of images, as Datumaro writes them."""

    name = "coco_labels"
    title = "COCO labels: labels of whole images"
    tasks = ("labels",)
    holds = _capabilities("labels")


class CocoStuff(Coco):
    """Regions without shape."""

    name = "coco_stuff"
    title = "COCO stuff: masks of regions such as sky and grass"
    tasks = ("stuff",)
    holds = _capabilities("stuff")


class CocoPanoptic(Coco):
    """Images of segments."""

    name = "coco_panoptic"
    title = "COCO panoptic: each pixel belongs to one segment"
    tasks = ("panoptic",)
    holds = _capabilities("panoptic")


RESULTS_LAYOUT = """\
results/
├── bbox_val_results.json       arrays of {"image_id", "category_id", "bbox", "score"}
└── segm_val_results.json       ... "segmentation", "keypoints" or "caption" instead of "bbox"
"""


class CocoResults(Format):
    """What models have found."""

    name = "coco_results"
    title = "COCO results: what a model has found, with scores"
    layout = RESULTS_LAYOUT
    holds = Capabilities(
        types=frozenset(kind for kinds in KINDS.values() for kind in kinds),
        fields=frozenset({"score", "source"}),
        item_attributes=frozenset({"id"}),
    )
    ReadOptions = CocoResultsReadOptions
    WriteOptions = CocoResultsWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        files = result_files(source)
        if not files:
            return None
        return Detection(self.name, 90, f"{files[0]} is an array of results")

    def read(self, source: SourceFolder, options: CocoResultsReadOptions, report: Report) -> Tables:
        """The tables of all files of results.

        Raises:
            FormatError: there is no such file, or one makes no sense.
        """
        files = result_files(source)
        if not files:
            raise FormatError(
                f"{source} has no results: JSON files that are arrays of records with an image_id"
            )
        return read_results(source, files, options, report)

    def write(
        self,
        tables: Tables,
        output: OutputFolder,
        options: CocoResultsWriteOptions,
        report: Report,
        media: bool,
    ) -> None:
        """Write a file for each subset and kind of results; images are not copied."""
        write_results(tables, output, options, report)
