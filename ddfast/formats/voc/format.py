"""Pascal VOC: an XML file for each image, lists of the images of subsets, and masks as PNG."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ddfast.annotated.format import Capabilities, Detection, Format, losses
from ddfast.formats.voc.content import BOX_TASKS, VocContent
from ddfast.formats.voc.layout import FOLDERS, LISTS
from ddfast.formats.voc.options import TASKS, VocReadOptions, VocWriteOptions, chosen_tasks
from ddfast.formats.voc.reading import annotation_heads, read
from ddfast.formats.voc.writing import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.annotated.tables import Tables

LAYOUT = """\
voc/
├── labelmap.txt              label:red,green,blue:parts:actions
├── Annotations/
│   └── 2007_000027.xml       boxes, parts and actions of an image
├── ImageSets/
│   ├── Main/                 detection and classification
│   │   ├── train.txt         ids of the images of a subset
│   │   └── cat_train.txt     which of them have a label
│   ├── Segmentation/         lists of the other tasks
│   ├── Action/
│   └── Layout/
├── JPEGImages/
│   └── 2007_000027.jpg
├── SegmentationClass/        masks: labels
│   └── 2007_000027.png
└── SegmentationObject/       masks: numbers of objects
    └── 2007_000027.png
"""

TYPES = {
    "classification": "label",
    "detection": "bbox",
    "segmentation": "mask",
    "action": "bbox",
    "layout": "bbox",
}


def held(tasks: Sequence[str]) -> Capabilities:
    """What files of some tasks can hold."""
    boxes = bool(BOX_TASKS & set(tasks))
    grouped = "layout" in tasks or (boxes and "segmentation" in tasks)
    return Capabilities(
        types=frozenset(TYPES[task] for task in tasks),
        fields=frozenset({"group"} if grouped else ()),
        attributes=boxes,
    )


class Voc(Format):
    """All tasks of Pascal VOC."""

    name = "voc"
    title = "Pascal VOC: boxes, parts, actions, masks, labels"
    layout = LAYOUT
    holds = held(TASKS)
    ReadOptions = VocReadOptions
    WriteOptions = VocWriteOptions
    tasks: ClassVar[tuple[str, ...]] = TASKS

    def detect(self, source: SourceFolder) -> Detection | None:
        confidence = 90 if len(self.tasks) > 1 else 60
        folders = {FOLDERS[task].lower() for task in self.tasks}
        if source.chosen is not None and source.root.parent.name.lower() == "imagesets":
            if source.root.name.lower() in folders and source.chosen.lower().endswith(".txt"):
                return Detection(
                    self.name, confidence, f"{source.root.name}/{source.chosen} is a list of ImageSets"
                )
            return None
        for name in source.candidates(".txt"):
            match = LISTS.fullmatch(name)
            if match and match["folder"].lower() in folders:
                return Detection(self.name, confidence, f"{name} is a list of ImageSets")
        if not BOX_TASKS & set(self.tasks):
            return None
        for name, head in annotation_heads(source):
            if b"<imagesize>" not in head and (b"<bndbox>" in head or b"<size>" in head):
                return Detection(self.name, confidence - 5, f"{name} is an annotation file of Pascal VOC")
        return None

    def read(self, source: SourceFolder, options: VocReadOptions, report: Report) -> Tables:
        """The tables of all files of the tasks.

        Raises:
            FormatError: there are no such files, or one makes no sense.
        """
        return read(source, options, report, self.tasks)

    def write(
        self, tables: Tables, output: OutputFolder, options: VocWriteOptions, report: Report, media: bool
    ) -> None:
        """Write the files of the tasks, and the images."""
        write(tables, output, options, report, media, self.tasks)

    def losses(self, tables: Tables, options: VocWriteOptions) -> Counter[str]:
        tasks = chosen_tasks(options.tasks, self.tasks)
        holds = held(tasks)
        if not options.allow_attributes:
            holds = replace(holds, attributes=True)  # they were declined
        lost = losses(tables, holds)
        if BOX_TASKS & set(tasks) and "polygons" in lost:
            lost["polygons (written as boxes)"] = lost.pop("polygons")
        lost.update(VocContent(tables, options, tasks).losses())
        return lost


class VocClassification(Voc):
    """Labels of images."""

    name = "voc_classification"
    title = "Pascal VOC classification: labels of whole images"
    tasks = ("classification",)
    holds = held(tasks)


class VocDetection(Voc):
    """Boxes."""

    name = "voc_detection"
    title = "Pascal VOC detection: boxes"
    tasks = ("detection",)
    holds = held(tasks)


class VocSegmentation(Voc):
    """Masks."""

    name = "voc_segmentation"
    title = "Pascal VOC segmentation: masks of objects"
    tasks = ("segmentation",)
    holds = held(tasks)


class VocAction(Voc):
    """Boxes with actions."""

    name = "voc_action"
    title = "Pascal VOC actions: boxes of people, and what they do"
    tasks = ("action",)
    holds = held(tasks)


class VocLayout(Voc):
    """Boxes with parts."""

    name = "voc_layout"
    title = "Pascal VOC person layout: boxes of people, their heads, hands and feet"
    tasks = ("layout",)
    holds = held(tasks)
