"""ImageNet with text files: names of images and their classes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.format import Capabilities, Detection, Format, option
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.paths import image_extension, inner_path, item_id
from ddfast.annotated.source_folder import ImageFinder
from ddfast.annotated.tables import Tables, codes, integers
from ddfast.errors import EscapingPathError, FormatError
from ddfast.formats.image_items import subsets_of

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder

LAYOUT = """\
dataset/
├── synsets.txt                     names of classes, one a line
├── train.txt                       a file for each subset: name of an image, numbers of its classes from 0 on
├── val.txt
└── images/
    ├── 1.jpg
    └── ...
"""

LABELS_FILE = "synsets.txt"
IMAGE_DIR = "images"
LINES = 20  # that are looked at to recognise a file


@dataclass(frozen=True)
class ImagenetTxtReadOptions:
    """Options of reading ImageNet with text files."""

    labels: Any = option(
        "file", "where names of classes come from: file, generate (class-0, class-1...), or names: cat,dog"
    )
    labels_file: str = option(LABELS_FILE, "name of the file of names of classes")
    image_dir: str = option(IMAGE_DIR, "folder of the images")


@dataclass(frozen=True)
class ImagenetTxtWriteOptions:
    """Options of writing ImageNet with text files."""

    image_ext: str = option("", "extension of images without one (default: .jpg)")


class ImagenetTxt(Format):
    """Names of images and numbers of classes in text files."""

    name = "imagenet_txt"
    title = "ImageNet with text files: name of an image, numbers of its classes"
    layout = LAYOUT
    holds = Capabilities(types=frozenset({"label"}))
    ReadOptions = ImagenetTxtReadOptions
    WriteOptions = ImagenetTxtWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        named = LABELS_FILE in (posixpath.basename(name) for name in source.files)
        for name in source.candidates(".txt"):
            if posixpath.basename(name) != LABELS_FILE and _is_list(source.head(name)):
                confidence = 90 if named else 30
                return Detection(self.name, confidence, f"{name} has names of images and numbers of classes")
        return None

    def read(self, source: SourceFolder, options: ImagenetTxtReadOptions, report: Report) -> Tables:
        """The tables of all lists.

        Raises:
            FormatError: there is no list, or no file of names of classes.
        """
        ignored = posixpath.basename(options.labels_file)
        lists = [name for name in source.candidates(".txt") if posixpath.basename(name) != ignored]
        if not lists:
            raise FormatError(f"{source} has no lists of images, such as train.txt")
        found = Lists(source, report, _labels(source, lists[0], options), options.image_dir)
        for name in lists:
            found.read(name)
        return found.finish()

    def write(
        self,
        tables: Tables,
        output: OutputFolder,
        options: ImagenetTxtWriteOptions,
        report: Report,
        media: bool,
    ) -> None:
        """Write a list for each subset, the names of classes, and the images."""
        names, subsets = file_names(tables, options.image_ext), subsets_of(tables)
        labels = tables.categories.get(AnnotationType.label)
        classes = [label.name for label in labels.items] if isinstance(labels, LabelCategories) else []
        output.write(LABELS_FILE, "".join(f"{_line_of_class(name)}\n" for name in classes))
        numbers = _labels_of_items(tables)
        ids: list[str] = tables.items.column("id").to_pylist() if names else []
        for subset in dict.fromkeys(subsets):
            lines = [
                f"{_quoted(ids[row], names[row])}{''.join(f' {label}' for label in numbers[row])}\n"
                for row, own in enumerate(subsets)
                if own == subset
            ]
            output.write(f"{subset}.txt", "".join(lines))
        report.counts["items"] += len(names)
        report.counts["annotations"] += sum(map(len, numbers))
        if media:
            if len(set(names)) < len(names):  # the same name in two subsets
                names = [f"{subset}/{name}" for subset, name in zip(subsets, names, strict=True)]
            files = [f"{IMAGE_DIR}/{name}" for name in names]
            save_images(tables, range(len(files)), files, output, report)


class Lists:
    """Collects the items of several lists.

    Parameters:
        source: the folder.
        report: for problems.
        labels: names of classes; None to make them.
        image_dir: folder of the images.
    """

    def __init__(
        self, source: SourceFolder, report: Report, labels: list[str] | None, image_dir: str
    ) -> None:
        self._source, self._report, self._labels, self._image_dir = source, report, labels, image_dir
        self._columns: dict[str, list[Any]] = {name: [] for name in ("id", "subset", "place", "path")}
        self._owners: list[int] = []
        self._numbers: list[int] = []

    def read(self, name: str) -> None:
        """Read one list."""
        path, folder = self._source.path(name), posixpath.dirname(name)
        subset = posixpath.basename(name)[: -len(".txt")]
        root = posixpath.join(folder, self._image_dir)
        finder = ImageFinder(self._source, [f"{root}/{subset}", root, folder])
        known: set[str] = set()
        for number, line in _lines(self._source.text(name)):
            try:
                own, image, labels = parse_line(line)
                self._check(own, labels, known)
            except (ValueError, EscapingPathError) as error:
                self._report.problem(str(error), path, f"line {number}")
                continue
            known.add(own)
            place, inner = finder.find(image) or (None, image)
            for column, value in zip(self._columns.values(), (own, subset, place, inner), strict=True):
                column.append(value)
            self._owners += [len(self._columns["id"]) - 1] * len(labels)
            self._numbers += labels

    def _check(self, own: str, labels: list[int], known: set[str]) -> None:
        if own in known:
            raise ValueError(f"a line before it has the image {own!r}, too")
        for label in labels:
            if not 0 <= label < (2**20 if self._labels is None else len(self._labels)):
                count = "" if self._labels is None else f"; there are {len(self._labels)}"
                raise ValueError(f"there is no class {label}{count}")

    def finish(self) -> Tables:
        """The tables of all lists."""
        items, annotations = TableBuilder.of_items(), TableBuilder.of_annotations()
        if self._columns["id"]:
            items.add(len(self._columns["id"]), kind="image", **self._columns)
        if self._owners:
            annotations.add(len(self._owners), item=self._owners, type="label", label=self._numbers)
        names = self._labels
        if names is None:
            names = [f"class-{number}" for number in range(max(self._numbers, default=-1) + 1)]
        categories = {AnnotationType.label: LabelCategories.from_iterable(names)}
        return Tables.of(items.finish(), annotations.finish(), categories)


def _labels(source: SourceFolder, first: str, options: ImagenetTxtReadOptions) -> list[str] | None:
    """Names of classes; None to make them."""
    if options.labels == "generate":
        return None
    if options.labels != "file":
        return options.labels.split(",") if isinstance(options.labels, str) else list(options.labels)
    name = posixpath.join(posixpath.dirname(first), options.labels_file)
    if not source.path(name).is_file():
        raise FormatError(
            f"{source.path(name)}, the names of classes, does not exist. Pass labels_file=... or labels='generate'"
        )
    return [line for _, line in _lines(source.text(name))]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and content of each line that is not empty."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def parse_line(line: str) -> tuple[str, str, list[int]]:
    """Id, image, and classes of a line: ``a/1.jpg 3 5``, or ``"with spaces".jpg 3``.

    Raises:
        ValueError: the line is something else.
        EscapingPathError: the image would be outside of the dataset.
    """
    if line.startswith('"'):
        stem, closed, rest = line[1:].partition('"')
        extension, _, numbers = rest.partition(" ")
        if not closed or '"' in rest:
            raise ValueError(f"{line!r} has a quote that is not closed, or too many")
        image = stem + extension
    else:
        image, _, numbers = line.partition(" ")
    inner = inner_path(image)
    try:
        return item_id(inner), inner, [int(number) for number in numbers.split()]
    except ValueError:
        raise ValueError(
            f"{numbers!r} are not numbers of classes; names with spaces stand in quotes"
        ) from None


def _is_list(head: bytes) -> bool:
    """Whether a file begins with names of images and numbers of classes."""
    lines = [line for _, line in _lines(head.decode("utf-8", "replace").rpartition("\n")[0])][:LINES]
    found = 0
    for line in lines:
        try:
            _, image, labels = parse_line(line)
        except (ValueError, EscapingPathError):
            return False
        if not image_extension(image):
            return False
        found += bool(labels)
    return found > 0


def _line_of_class(name: str) -> str:
    if name != name.strip() or "\n" in name:
        raise FormatError(
            f"The label {name!r} cannot be a line: it begins or ends with space, or has several lines"
        )
    return name


def _quoted(own: str, name: str) -> str:
    """The name of an image, in quotes if it has spaces."""
    if '"' in own or "\n" in own or "\r" in own:
        raise FormatError(
            f"Item {own!r} has a quote or a line end in its id, which the format cannot hold. Rename it"
        )
    return f'"{own}"{name[len(own) :]}' if len(name.split()) > 1 or own != own.strip() else name


def _labels_of_items(tables: Tables) -> Sequence[list[int]]:
    """The labels of each item, in order, each once."""
    kinds, names = codes(tables.annotations, "type")
    is_label = np.array([*(name == "label" for name in names), False], bool)[kinds]
    found: list[list[int]] = [[] for _ in range(tables.items.num_rows)]
    labels = integers(tables.annotations, "label", -1)[is_label].tolist()
    for row, label in zip(tables.item_rows[is_label].tolist(), labels, strict=True):
        if label not in found[row]:
            found[row].append(label)
    return found
