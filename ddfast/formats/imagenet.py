"""ImageNet: a folder of images for each class."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.format import Capabilities, Detection, Format, option
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.tables import Tables, codes, integers
from ddfast.errors import FormatError
from ddfast.formats.image_dir import losses_with_images, note_other_files
from ddfast.formats.image_items import SUBSET_NAME, ids_of, image_table, split_subsets, subsets_of, with_image

if TYPE_CHECKING:
    from collections import Counter

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder

LAYOUT = """\
imagenet/
├── cat/                            a folder for each class
│   ├── 1.jpg                       the item cat/1
│   └── ...
├── dog/
└── no_label/                       images without a class

imagenet/                           with subsets
├── train/
│   └── cat/1.jpg
└── val/
"""

NO_LABEL = "no_label"


@dataclass(frozen=True)
class ImagenetReadOptions:
    """Options of reading ImageNet."""

    subset_dirs: bool | None = option(
        None,
        "the first folder is the subset (default: if all first folders have names such as train and val)",
    )
    nested: bool = option(False, "folders in the folder of a class are classes of their own: a/b")


@dataclass(frozen=True)
class ImagenetWriteOptions:
    """Options of writing ImageNet."""

    image_ext: str = option("", "extension of images without one (default: .jpg)")
    subset_dirs: bool | None = option(
        None, "a folder for each subset (default: unless there is only 'default')"
    )


class Imagenet(Format):
    """A folder of images for each class."""

    name = "imagenet"
    title = "ImageNet: a folder of images for each class"
    layout = LAYOUT
    holds = Capabilities(types=frozenset({"label"}))
    ReadOptions = ImagenetReadOptions
    WriteOptions = ImagenetWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        if source.chosen is not None or not source.images or len(source.images) < len(source.files):
            return None
        if not all("/" in name for name in source.images):
            return None
        return Detection(self.name, 20, "all files are images in folders")

    def read(self, source: SourceFolder, options: ImagenetReadOptions, report: Report) -> Tables:
        """The images of all folders.

        Raises:
            FormatError: there are none.
        """
        if source.chosen is not None or not source.images:
            raise FormatError(f"{source} has no images")
        note_other_files(source, report)
        folders = _folders(source.root)
        by_subset = options.subset_dirs
        if by_subset is None:
            by_subset = all(map(SUBSET_NAME.fullmatch, folders)) and all(
                "/" in name for name in source.images
            )
        subsets, names = split_subsets(source.images, by_subset)
        if by_subset:
            places = [os.fspath(source.root / subset) for subset in folders]
            classes = sorted({one for place in places for one in _folders(place)})
        else:
            classes = folders
        own = [_class_of(name, options.nested) for name in names]
        classes = sorted({*own, *classes} - {NO_LABEL, ""})
        return self._tables(
            source, subsets, names, [("" if one == NO_LABEL else one) for one in own], classes, report
        )

    @staticmethod
    def _tables(
        source: SourceFolder,
        subsets: list[str],
        names: list[str],
        own: list[str],
        classes: list[str],
        report: Report,
    ) -> Tables:
        ids = ids_of(names, report, subsets)
        places = [
            os.fspath(source.root)
            if len(full) == len(name)
            else os.fspath(source.root / full[: -len(name) - 1])
            for full, name in zip(source.images, names, strict=True)
        ]
        numbers = {name: number for number, name in enumerate(classes)}
        labels = np.array([numbers.get(one, -1) for one in own], np.int32)
        rows = np.flatnonzero(labels >= 0).astype(np.int32)
        annotations = TableBuilder.of_annotations()
        annotations.add(len(rows), item=rows, type="label", label=labels[rows])
        categories = {AnnotationType.label: LabelCategories.from_iterable(classes)}
        return Tables.of(image_table(ids, subsets, places, names), annotations.finish(), categories)

    def losses(self, tables: Tables, options: ImagenetWriteOptions) -> Counter[str]:
        return losses_with_images(tables, self.holds)

    def write(
        self,
        tables: Tables,
        output: OutputFolder,
        options: ImagenetWriteOptions,
        report: Report,
        media: bool,
    ) -> None:
        """Write the images, without which there is nothing to write, whether ``media`` says so or not."""
        names, subsets = file_names(tables, options.image_ext), subsets_of(tables)
        by_subset = set(subsets) != {DEFAULT_SUBSET} if options.subset_dirs is None else options.subset_dirs
        classes = _class_names(tables)
        rows, files = [], []
        for row, label in _classes_of_items(tables):
            folder = classes[label] if label >= 0 else NO_LABEL
            prefix = f"{subsets[row]}/" if by_subset else ""
            rows.append(row)
            files.append(
                f"{prefix}{folder}/{names[row].removeprefix(f'{folder}/').removeprefix(f'{folder}:')}"
            )
        for subset in sorted(set(subsets)) if by_subset else [""]:
            for name in classes:
                output.path(f"{subset}/{name}/_".lstrip("/"))  # a class without images has its folder, too
        if any("/" in name for name in classes):
            report.notes.append(
                "There are classes in folders of classes: read them with nested=True (--nested)"
            )
        if by_subset and not all(map(SUBSET_NAME.fullmatch, subsets)):
            report.notes.append(
                "Names of subsets are not usual: read them with subset_dirs=True (--subset-dirs)"
            )
        report.counts["items"] += len(set(rows))
        report.counts["annotations"] += len(rows)
        save_images(tables, rows, files, output, report)


def _folders(root: str | os.PathLike[str]) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones and links left out."""
    with os.scandir(root) as entries:
        return sorted(
            entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        )


def _class_of(name: str, nested: bool) -> str:
    """The class of an image, empty if it is in no folder."""
    folder = name.rpartition("/")[0]
    return folder if nested else folder.partition("/")[0]


def _class_names(tables: Tables) -> list[str]:
    """The folder of each class.

    Raises:
        FormatError: one has a name that no folder can have.
    """
    labels = tables.categories.get(AnnotationType.label)
    names = [label.name for label in labels.items] if isinstance(labels, LabelCategories) else []
    for name in names:
        if name.startswith((".", "/")) or name == NO_LABEL or "\\" in name or "\0" in name:
            raise FormatError(f"The label {name!r} cannot be the name of a folder. Rename it")
    return names


def _classes_of_items(tables: Tables) -> list[tuple[int, int]]:
    """Row and label of each item that has an image, once for each of its labels; -1 if it has none."""
    kinds, names = codes(tables.annotations, "type")
    is_label = np.array([*(name == "label" for name in names), False], bool)[kinds]
    items = tables.item_rows[is_label].astype(np.int64)
    labels = integers(tables.annotations, "label", -1)[is_label].astype(np.int64)
    missing = np.setdiff1d(np.arange(tables.items.num_rows), items)
    pairs = np.stack(
        [np.concatenate([items, missing]), np.concatenate([labels, np.full(len(missing), -1)])], axis=1
    )
    pairs = np.unique(pairs[with_image(tables)[pairs[:, 0]]], axis=0)
    return [(int(row), int(label)) for row, label in pairs.tolist()]
