"""The items of a CVAT file: images, and frames of videos."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.paths import inner_path, item_id
from ddfast.errors import EscapingPathError
from ddfast.formats.cvat.meta import MAX_FRAMES, Meta


def frame_name(number: int) -> str:
    """The id of a frame of a video, as CVAT names its images."""
    return f"frame_{number:06d}"


@dataclass(slots=True)
class FileItem:
    """An image or a frame.

    Attributes:
        task: id of its task.
        subset: its name.
        number: of the frame or image, or None.
        name: of the image; None for a frame that has none.
        size: height and width, or None.
        status: of the item, or None.
        is_image: whether it is listed as an image.
    """

    task: str
    subset: str
    number: int | None
    name: str | None = None
    size: tuple[int, int] | None = None
    status: str | None = None
    is_image: bool = False

    @property
    def path(self) -> str:
        """Path of its image within the folder of images; that of a frame has no extension."""
        return frame_name(self.number or 0) if self.name is None else plain_path(self.name)


@dataclass
class FileItems:
    """All items of a file.

    Parameters:
        subset: of items of tasks that do not name one.
        meta: the head of the file.
    """

    subset: str
    meta: Meta
    items: list[FileItem] = field(default_factory=list)
    _by_number: dict[tuple[str, str, int], int] = field(default_factory=dict)
    _by_name: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _frames: bool = False

    def add_frames(self) -> None:
        """Add the frames of all videos, as far as the file says which they are."""
        for number, task in self.meta.tasks.items():
            for frame in task.frames or ():
                self.frame(number, None, frame)

    def fill_gaps(self) -> None:
        """Add the frames between those that shapes are in, in videos whose frames the file does not say."""
        bounds: dict[tuple[str, str], tuple[int, int]] = {}
        for task, subset, number in self._by_number:
            low, high = bounds.get((task, subset), (number, number))
            bounds[task, subset] = min(low, number), max(high, number)
        for (task, subset), (low, high) in bounds.items():
            if self._frames and self.meta.task(task).frames is None and high - low < MAX_FRAMES:
                for number in range(low, high):
                    self.frame(task, subset, number)

    def subset_of(self, task: str, given: str | None) -> str:
        """The subset of an element."""
        return given or self.meta.task(task).subset or self.subset

    def frame(self, task: str, subset: str | None, number: int) -> int:
        """The row of a frame."""
        self._frames = True
        name = self.subset_of(task, subset)
        row = self._by_number.get((task, name, number))
        if row is None:
            row = self._by_number[task, name, number] = len(self.items)
            self.items.append(FileItem(task, name, number, size=self.meta.task(task).size))
        return row

    def image(self, item: FileItem) -> int:
        """The row of an image: of the one with the same name, or of a frame with the same number that has no name."""
        assert item.name is not None
        key = (item.task, item.subset, item.name)
        row = self._by_name.get(key)
        if row is None and item.number is not None:
            row = self._by_number.get((item.task, item.subset, item.number))
            if row is not None and self.items[row].is_image:
                row = None
        if row is None:
            row = len(self.items)
            self.items.append(item)
        else:
            known = self.items[row]
            known.name, known.size = item.name, item.size or known.size
            known.status = item.status or known.status
            known.is_image = True
        self._by_name[key] = row
        if item.number is not None:
            self._by_number.setdefault((item.task, item.subset, item.number), row)
        return row

    def order(self) -> npt.NDArray[np.int64]:
        """Rows in the order of the dataset: images as in the file, frames of a task by number."""
        rows = range(len(self.items))
        if not self._frames:
            return np.array(rows, np.int64)
        first: dict[Any, int] = {}
        for row, item in enumerate(self.items):
            first.setdefault((item.task, item.subset), row)

        def place(row: int) -> tuple[int, int]:
            item = self.items[row]
            return first[item.task, item.subset], -1 if item.number is None else item.number

        return np.array(sorted(rows, key=place), np.int64)

    def ids(self) -> list[str]:
        """The id of each item; with the name of the task before it if several tasks have images of one name."""
        plain = [item_id(item.path) for item in self.items]
        keys = Counter((item.subset, name) for item, name in zip(self.items, plain, strict=True))
        if all(count == 1 for count in keys.values()):
            return plain
        names = Counter(task.name for task in self.meta.tasks.values())
        folders = {}
        for number, task in self.meta.tasks.items():
            is_own = task.name and names[task.name] == 1
            folders[number] = plain_path(task.name) if is_own else f"task_{number}"
        return [
            f"{folders.get(item.task, f'task_{item.task}')}/{name}" if item.task else name
            for item, name in zip(self.items, plain, strict=True)
        ]


def plain_path(name: str) -> str:
    """A relative path of a name; the last part of it if it leads out of the folder."""
    try:
        return inner_path(name)
    except EscapingPathError:
        return name.replace("\\", "/").rpartition("/")[2].strip(".") or "unnamed"
