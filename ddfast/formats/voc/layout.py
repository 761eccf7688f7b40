"""Where the files of a Pascal VOC dataset are: lists of subsets, annotation files, masks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ddfast.annotated.paths import image_extension, item_id, matching_form
from ddfast.annotated.source_folder import SourceFolder

FOLDERS = {
    "classification": "Main",
    "detection": "Main",
    "segmentation": "Segmentation",
    "action": "Action",
    "layout": "Layout",
}
"""Folder below ``ImageSets`` of each task."""

LISTS = re.compile(
    r"(?P<root>(?:.*/)?)ImageSets/(?P<folder>Main|Segmentation|Action|Layout)/(?P<stem>.+)\.txt", re.I
)
IMAGE_FOLDERS = ("JPEGImages", "images", "Images", "PNGImages")
KNOWN_SUBSETS = ("train", "trainval", "val", "valid", "validation", "test", "dev", "eval")
MEMBER = re.compile(r"(?P<id>.*\S)\s+(?P<value>-?\d+)")


@dataclass
class Root:
    """A dataset: the folder that has ``Annotations`` and ``ImageSets``, or XML files.

    Attributes:
        prefix: its relative path with a slash at the end, or empty.
        folders: those of annotation files and images, in lower case.
        lists: ``(folder below ImageSets, relative path of the list, its name)``.
        xml, class_masks, object_masks: relative path by id, in the form in which names are compared.
        names: id by its form, of annotation files and images.
        images: forms of the ids of images.
    """

    prefix: str
    folders: frozenset[str] = frozenset()
    lists: list[tuple[str, str, str]] = field(default_factory=list)
    xml: dict[str, str] = field(default_factory=dict)
    class_masks: dict[str, str] = field(default_factory=dict)
    object_masks: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)

    def lists_of(self, tasks: Sequence[str]) -> list[tuple[str, str, str]]:
        """The lists of some tasks; all lists if these have none."""
        wanted = {FOLDERS[task].lower() for task in tasks}
        return [one for one in self.lists if one[0].lower() in wanted] or self.lists

    def add(self, inner: str, name: str) -> None:
        """Take note of a file.

        Parameters:
            inner: its path below the root.
            name: its path in the source.
        """
        folder, _, rest = inner.partition("/")
        masks = {"segmentationclass": self.class_masks, "segmentationobject": self.object_masks}.get(
            folder.lower()
        )
        if masks is not None:
            if image_extension(rest):
                masks[form_of(item_id(rest))] = name
        elif name.lower().endswith(".xml"):
            key = self.id_of(inner)[: -len(".xml")]
            self.xml[form_of(key)] = name
            self.names.setdefault(form_of(key), key)
        elif image_extension(name) and folder.lower() != "imagesets":
            key = item_id(self.id_of(inner))
            self.names.setdefault(form_of(key), key)
            self.images.add(form_of(key))

    def id_of(self, inner: str) -> str:
        """The path of an annotation file or image without the folder that says what it is, such as ``JPEGImages``."""
        parts = inner.split("/")
        for place in range(1, len(parts)):
            folder = "/".join(parts[:place]).lower()
            if parts[place - 1].lower() in self.folders or folder in self.folders:
                start = 0 if folder in self.folders else place - 1
                return "/".join(parts[:start] + parts[place:])
        return inner

    def items(self) -> dict[str, str]:
        """Id by its form of all annotation files and images, where no list names them.

        An image is no item of its own if one annotation file in another folder has its name, and no other image.
        """
        alone = [form for form in self.xml if form not in self.images]
        pictures = [form for form in self.images if form not in self.xml]
        files, images = (Counter(form.rpartition("/")[2] for form in forms) for forms in (alone, pictures))
        taken = {
            form
            for form in pictures
            if files[form.rpartition("/")[2]] == images[form.rpartition("/")[2]] == 1
        }
        return {form: key for form, key in self.names.items() if form not in taken}


def form_of(key: str) -> str:
    """The form in which ids are compared."""
    return matching_form(key + ".x")[:-2]


def split_subset(key: str) -> tuple[str, str]:
    """Subset and id of a path that no list names: ``train/a`` is ``a`` of ``train``."""
    first, _, rest = key.partition("/")
    return (first, rest) if rest and first.lower() in KNOWN_SUBSETS else ("default", key)


def whole(source: SourceFolder) -> tuple[SourceFolder, str | None]:
    """The folder of the dataset, and the list or annotation file in it that the user chose."""
    if source.chosen is None:
        return source, None
    root, chosen = Path(source.root), source.chosen
    if chosen.lower().endswith(".txt") and root.parent.name.lower() == "imagesets":
        return SourceFolder(root.parents[1]), f"{root.parent.name}/{root.name}/{chosen}"
    if root.name.lower() == "annotations":
        return SourceFolder(root.parent), f"{root.name}/{chosen}"
    return SourceFolder(root), chosen


def roots_of(source: SourceFolder, *folders: str) -> list[Root]:
    """The datasets in a folder, such as VOC2007 and VOC2012; one without lists if there are none.

    Parameters:
        source: the folder.
        folders: further names of folders of annotation files or images.
    """
    names = frozenset(
        folder.strip("/").lower() for folder in ("Annotations", *IMAGE_FOLDERS, *folders) if folder
    )
    found: dict[str, Root] = {}
    for name in source.files:
        match = LISTS.fullmatch(name)
        if match:
            root = found.setdefault(match["root"], Root(match["root"], names))
            root.lists.append((match["folder"].capitalize(), name, match["stem"]))
    roots = list(found.values()) or [Root("", names)]
    for name in source.files:
        owner = max(
            (root for root in roots if name.startswith(root.prefix)),
            key=lambda one: len(one.prefix),
            default=None,
        )
        if owner is not None:
            owner.add(name[len(owner.prefix) :], name)
    return roots


def class_list(lines: Sequence[str], stem: str, stems: set[str], labels: set[str]) -> tuple[str, str] | None:
    """Label and subset of a list such as ``cat_train.txt``; None if it is the list of a subset.

    Parameters:
        lines: of the file.
        stem: its name.
        stems: names of all lists of the folder.
        labels: of the label map, or its actions; empty if it is unknown.
    """
    for place in (place for place, letter in enumerate(stem) if letter == "_"):
        label, subset = stem[:place], stem[place + 1 :]
        if subset in stems and (not labels or label in labels):
            marks = (MEMBER.fullmatch(line) for line in lines)
            if all(mark and mark["value"] in ("-1", "0", "1") for mark in marks):
                return label, subset
    return None


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of the lines that are neither empty nor comments."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def listed_id(line: str, folder: str, root: Root) -> str:
    """The id in a line: without quotes, the number of an object, or the extension of an image."""
    line = line.replace("\\", "/")
    if line.startswith('"') and line.count('"') == 2:
        return line[1 : line.index('"', 1)]
    if form_of(line) in root.names:
        return root.names[form_of(line)]
    match = MEMBER.fullmatch(line)
    if match and folder in ("Layout", "Action"):
        return listed_id(match["id"], "", root)
    if image_extension(line):
        line = item_id(line)
    line = root.id_of(line)
    return root.names.get(form_of(line), line)
