"""What both layouts write: the text of the label file of each item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.image_sizes import SIZES_FILE, sizes_text
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.media_reader import MediaReader
from ddfast.annotated.pixels import read_header
from ddfast.annotated.tables import Tables, codes, integers, lists
from ddfast.errors import FormatError
from ddfast.formats.yolo import texts
from ddfast.formats.yolo.changes import Changes
from ddfast.formats.yolo.polygons import polygons
from ddfast.formats.yolo.reading import ANNOTATED
from ddfast.formats.yolo.selection import Selection

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.yolo.options import WriteOptions

__all__ = ["Target", "class_names", "listed", "subset_names", "write_sizes"]

Floats = npt.NDArray[np.float64]


def class_names(tables: Tables) -> list[str]:
    """The names of classes by number.

    Raises:
        FormatError: a name has a line break.
    """
    labels = tables.categories.get(AnnotationType.label)
    names = [label.name for label in labels] if isinstance(labels, LabelCategories) else []
    used = integers(tables.annotations, "label", -1)
    names += [f"class_{number}" for number in range(len(names), int(used.max(initial=-1)) + 1)]
    for name in names:
        if len(name.splitlines()) != 1:
            raise FormatError(f"Label {name!r} has a line break, which YOLO has no place for; rename it")
    return names


def subset_names(names: list[str], reserved: frozenset[str], format: str) -> list[str]:
    """What subsets are called in the target: ``default`` is ``train``, as documented for Datumaro.

    Raises:
        FormatError: a name means something else in the target.
    """
    for name in names:
        if name.lower() in reserved or "=" in name or len(name.splitlines()) != 1 or name != name.strip():
            raise FormatError(
                f"{format} cannot have a subset {name!r}; rename it. Names that mean something else are"
                f" {', '.join(sorted(reserved))}"
            )
    return ["train" if name == DEFAULT_SUBSET and "train" not in names else name for name in names]


def listed(paths: Iterable[str]) -> Iterable[str]:
    """Paths that can be lines of a list.

    Raises:
        FormatError: one has a line break.
    """
    for path in paths:
        if "\n" in path or "\r" in path:
            raise FormatError(
                f"{path!r} has a line break, which a list of images has no place for; rename the item"
            )
        yield path


def write_sizes(tables: Tables, paths: dict[int, str], output: OutputFolder) -> None:
    """Write the sizes of images that are not copied; items with the same id go by the path of their image."""
    heights, widths = integers(tables.items, "height"), integers(tables.items, "width")
    ids = tables.items.column("id").to_pylist() if tables.items.num_rows else []
    found: dict[str, tuple[int, int]] = {}
    for row, path in paths.items():
        size = (int(heights[row]), int(widths[row]))
        if size[0] and size[1] and found.setdefault(ids[row], size) != size:
            found[path] = size
    if found:
        output.write(SIZES_FILE, sizes_text(found.items()))


class Target:
    """Items as they are written.

    Parameters:
        tables: of the dataset.
        task: one of ``TASKS`` but ``"classify"``.
        options: of the format.
        report: for notes.
    """

    def __init__(self, tables: Tables, task: str, options: WriteOptions, report: Report) -> None:
        self._tables = tables
        self._task = task
        self._options = options
        self._report = report
        self._chosen = Selection(tables, task, options.skip_crowd).chosen
        self._changes = Changes()

    @cached_property
    def _seen(self) -> npt.NDArray[np.bool_]:
        """Items that somebody has annotated, though perhaps nothing is in them."""
        numbers, names = codes(self._tables.items, "status")
        seen = np.isin(numbers, [number for number, name in enumerate(names) if name == ANNOTATED])
        return seen | (np.diff(self._tables.starts) > 0)

    @property
    def rows(self) -> list[int]:
        """The items that are written."""
        count = self._tables.items.num_rows
        return np.flatnonzero(self._seen).tolist() if self._options.only_annotated else list(range(count))

    @cached_property
    def has_file(self) -> list[bool]:
        """Whether each item gets a label file: all, but where a status says what nobody has annotated."""
        if "status" in self._tables.items.column_names:
            found: list[bool] = self._seen.tolist()
            return found
        return [True] * int(self._tables.items.num_rows)

    @cached_property
    def _sizes(self) -> Floats:
        """Width and height of the image of each item, of all that have annotations to write.

        Raises:
            FormatError: one is unknown, and there is no image.
        """
        items = self._tables.items
        sizes = np.stack([integers(items, "width"), integers(items, "height")], axis=1).astype(np.float64)
        needed = np.zeros(len(sizes), bool)
        needed[self._tables.item_rows[self._chosen]] = True
        missing = np.flatnonzero(needed & (sizes <= 0).any(axis=1)).tolist()
        reader = MediaReader(self._tables)
        for row in missing:
            content = reader.read(row)
            name = items.column("id")[row].as_py()
            if content is None:
                raise FormatError(
                    f"Item {name!r} has annotations, but neither a size nor an image ({len(missing):,} items have no"
                    " size): coordinates of YOLO are relative to the size. Give items their images or sizes"
                )
            sizes[row] = read_header(content, name).size[::-1]
        return sizes

    @cached_property
    def points(self) -> int:
        """The most points of an annotation or label."""
        _, starts = lists(self._tables.annotations, "visibility")
        named = max(map(len, self.point_names.values()), default=0)
        return int(np.diff(starts)[self._chosen].max(initial=named))

    @cached_property
    def point_names(self) -> dict[int, list[str]]:
        """The names of the points of each label."""
        points = self._tables.categories.get(AnnotationType.points)
        if not isinstance(points, PointsCategories):
            return {}
        return {label: item.labels for label, item in sorted(points.items.items()) if item.labels}

    def label_texts(self) -> Iterator[bytes]:
        """The text of the label file of each item, in order."""
        for first, stop in self._tables.blocks(4096):
            yield from self._block(first, stop)
        self._report.notes += self._changes.notes()

    def _block(self, first: int, stop: int) -> list[bytes]:
        starts = self._tables.starts[first : stop + 1]
        chosen = np.flatnonzero(self._chosen[starts[0] : starts[-1]])
        if not len(chosen):
            return [b""] * (stop - first)
        annotations = self._tables.annotations_of(first, stop)
        if len(chosen) < annotations.num_rows:
            annotations = annotations.take(chosen)
        items = self._tables.item_rows[starts[0] : starts[-1]][chosen]
        lines = self._lines(annotations, self._sizes[items])
        ends = np.searchsorted(items, np.arange(first, stop + 1)).tolist()
        return [
            b"\n".join([*filter(None, lines[begin:end]), b""]) if begin < end else b""
            for begin, end in pairwise(ends)
        ]

    def _lines(self, annotations: object, sizes: Floats) -> list[bytes]:
        decimals, changes = self._options.decimals, self._changes
        if self._task == "segment":
            return polygons(annotations, sizes, decimals, changes)
        if self._task == "pose":
            return texts.poses(annotations, sizes, decimals, changes, self.points, self.point_names)
        make = texts.corners if self._task == "obb" else texts.boxes
        return make(annotations, sizes, decimals, changes)
