"""Which files of a folder are COCO's, and what their names say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ddfast.annotated.source_folder import SourceFolder

TASKS = ("image_info", "instances", "person_keypoints", "captions", "labels", "stuff", "panoptic")

# Tasks, and those whose files have the same objects in more detail.
ALTERNATIVES = {
    "panoptic": ("instances", "person_keypoints"),
    "stuff": ("instances", "person_keypoints", "panoptic"),
}

FILE_NAME = re.compile(rf"(?P<task>{'|'.join(TASKS)})_(?P<subset>.+)\.json", re.IGNORECASE)

# A name as those of Roboflow, FiftyOne and others: the folder says which subset it is.
ANONYMOUS = re.compile(r"_?annotations(\.coco)?\.json|coco\.json|labels\.json|instances\.json", re.IGNORECASE)

HEAD = re.compile(rb'[{,]\s*"(images|annotations|categories|info|licenses)"\s*:')

# Members of files of Datumaro's own format, which has annotations and categories, too.
OTHER_FORMAT = re.compile(rb'"dm_format_version"\s*:|"categories"\s*:\s*\{')

# The first record of an array of results.
RESULTS_HEAD = re.compile(rb'\s*\[\s*\{[^{]*?"(image_id|category_id|score|bbox)"\s*:')


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """An annotation file of a dataset.

    Attributes:
        name: relative path.
        task: one of ``TASKS``.
        subset: name of the subset.
    """

    name: str
    task: str
    subset: str


def with_images(source: SourceFolder) -> SourceFolder:
    """The folder of the dataset of a file in ``annotations``, where the images are; others as they are."""
    if source.chosen is None or source.root.name.lower() != "annotations":
        return source
    root = source.root.parent
    folders = ("images", file_of(source.chosen).subset)
    if not any((root / folder).is_dir() for folder in folders):
        return source
    return SourceFolder(root, f"{source.root.name}/{source.chosen}")


def annotation_files(source: SourceFolder, tasks: Sequence[str]) -> list[AnnotationFile]:
    """The annotation files of a folder that belong to some tasks."""
    found = []
    for name in source.candidates(".json"):
        head = source.head(name)
        if not HEAD.search(head) or OTHER_FORMAT.search(head) or RESULTS_HEAD.match(head):
            continue
        file = file_of(name)
        if file.task in tasks:
            found.append(file)
        elif source.chosen is not None and len(tasks) == 1:
            found.append(AnnotationFile(name, tasks[0], file.subset))
    return found


def without_alternatives(
    files: Sequence[AnnotationFile],
) -> tuple[list[AnnotationFile], list[AnnotationFile]]:
    """The files of which each subset has its objects once; and those that describe the same objects otherwise."""
    present = {(file.subset, file.task) for file in files}
    used: list[AnnotationFile] = []
    left: list[AnnotationFile] = []
    for file in files:
        better = ALTERNATIVES.get(file.task, ())
        (left if any((file.subset, task) in present for task in better) else used).append(file)
    return used, left


def result_files(source: SourceFolder) -> list[str]:
    """The files of a folder that are arrays of results."""
    return [name for name in source.candidates(".json") if RESULTS_HEAD.match(source.head(name))]


def file_of(name: str) -> AnnotationFile:
    """Task and subset of a file."""
    folder, _, base = name.rpartition("/")
    match = FILE_NAME.fullmatch(base)
    if match:
        return AnnotationFile(name, match["task"].lower(), match["subset"])
    if ANONYMOUS.fullmatch(base):
        parts = [part for part in folder.split("/") if part.lower() not in ("", "annotations", "labels")]
        return AnnotationFile(name, "instances", parts[-1] if parts else "default")
    return AnnotationFile(name, "instances", base[: -len(".json")])
