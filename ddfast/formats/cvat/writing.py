"""Writes tables as CVAT's XML files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.tables import Tables, codes, integers
from ddfast.formats.cvat.attribute_texts import attribute_value
from ddfast.formats.cvat.attributes import is_outside
from ddfast.formats.cvat.elements import Elements
from ddfast.formats.cvat.heading import label_names, labels_text, task_text
from ddfast.formats.cvat.items import frame_name

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.cvat.options import CvatWriteOptions

Rows = npt.NDArray[np.int64]

BLOCK = 1 << 15
"""Annotations of tracks that are turned into text at a time."""

NO_TRACK = -(2**63)


def write(
    tables: Tables, output: OutputFolder, options: CvatWriteOptions, report: Report, media: bool
) -> None:
    """Write a file for each subset, and the images."""
    if options.only_annotated:
        tables = tables.take_items(np.flatnonzero(np.diff(tables.starts)))
    names = file_names(tables, options.image_ext)
    report.counts["items"] += tables.items.num_rows
    numbers, subsets = codes(tables.items, "subset")
    for code, subset in enumerate(subsets):
        rows = np.flatnonzero(numbers == code)
        if not len(rows):
            continue
        part = CvatSubset(subset, tables.take_items(rows), [names[row] for row in rows], options)
        with output.open(f"{subset}.xml") as file:
            part.write(file, report)
        if media:
            folder = f"images/{subset}"
            save_images(tables, rows.tolist(), [f"{folder}/{names[row]}" for row in rows], output, report)


@dataclass
class CvatSubset:
    """The items of one subset.

    Parameters:
        name: of the subset.
        tables: the items and their annotations.
        names: of the image files.
        options: of the format.
    """

    name: str
    tables: Tables
    names: list[str]
    options: CvatWriteOptions

    def write(self, file: BinaryIO, report: Report) -> None:
        """Write the file."""
        file.write(self._head().encode())
        own = np.flatnonzero(self._is_written & ~self._in_tracks)
        bounds = np.searchsorted(self.tables.item_rows[own], np.arange(self.tables.items.num_rows + 1))
        for first, stop in self.tables.blocks():
            file.write("".join(self._images(first, stop, own, bounds)).encode())
            report.advance(stop, self.tables.items.num_rows)
        for text in self._tracks():
            file.write(text.encode())
        file.write(b"</annotations>\n")
        report.counts["annotations"] += int(self._is_written.sum())

    @cached_property
    def elements(self) -> Elements:
        """The texts of annotations."""
        undeclared = self.options.allow_undeclared_attrs
        return Elements(self.tables, label_names(self.tables), self.frames, undeclared)

    @cached_property
    def _track_numbers(self) -> Rows:
        return integers(self.tables.annotations, "track", NO_TRACK)

    @cached_property
    def is_video(self) -> bool:
        """Whether there are tracks in the file."""
        if self.options.mode == "auto":
            return bool((self._track_numbers != NO_TRACK).any())
        return self.options.mode == "interpolation"

    @cached_property
    def _is_written(self) -> npt.NDArray[np.bool_]:
        """Which annotations are in the file: in one of images, those whose object is there."""
        if self.options.mode != "annotation":
            return self.elements.is_held
        return self.elements.is_held & ~is_outside(self.tables.annotations)

    @cached_property
    def _in_tracks(self) -> npt.NDArray[np.bool_]:
        """Which annotations are elements of tracks."""
        found: npt.NDArray[np.bool_] = (self._track_numbers != NO_TRACK) & (self.elements.kinds != "label")
        return found & self.is_video

    @cached_property
    def frames(self) -> Rows:
        """Number of the frame of each item: that of the source, if all have one of their own; else from 0 on."""
        count = self.tables.items.num_rows
        found = np.arange(count)
        if self.options.reindex:
            return found
        for numbers in (self._numbers_of_items(), self._numbers_of_annotations()):
            if len(numbers) == count == len(set(numbers)) and all(number >= 0 for number in numbers):
                found = np.array(numbers, np.int64)
                break
        return found

    def _numbers_of_items(self) -> list[int]:
        """The attribute ``frame`` of items, of those that have an integer there."""
        items = self.tables.items
        if "attributes" not in items.column_names:
            return []
        found = [
            json.loads(text).get("frame") if text else None for text in items.column("attributes").to_pylist()
        ]
        return [number for number in found if type(number) is int and number < 2**31]

    def _numbers_of_annotations(self) -> list[int]:
        """The frame of the last annotation of each item, -1 for items without one."""
        found = np.full(self.tables.items.num_rows, -1, np.int64)
        found[self.tables.item_rows] = integers(self.tables.annotations, "frame", -1)
        numbers: list[int] = found.tolist()
        return numbers

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each item, or those of a mask of it; 0 if they are unknown."""
        found = []
        annotations, items = self.tables.annotations, self.tables.items
        for name in ("height", "width"):
            own = integers(annotations, f"mask_{name}", 0)
            masked = np.zeros(items.num_rows, np.int64)
            masked[self.tables.item_rows[own > 0]] = own[own > 0]
            known = integers(items, name, 0)
            found.append(np.where(known > 0, known, masked).tolist())
        return list(zip(*found, strict=True))

    @cached_property
    def _original_size(self) -> tuple[int, int] | None:
        """The size of the frames of a video: that of the first."""
        size = self.sizes[0] if self.is_video and self.sizes else (0, 0)
        return size if all(size) else None

    @cached_property
    def _range(self) -> range | None:
        """The numbers of all frames, if they have equal distances."""
        numbers = np.sort(self.frames)
        steps = np.diff(numbers)
        if len(steps) and (steps != steps[0]).any():
            return None
        return range(int(numbers[0]), int(numbers[-1]) + 1, int(steps[0]) if len(steps) else 1)

    def _head(self) -> str:
        frames = self._range if self.is_video else range(len(self.names))
        values: dict[str, object] = {
            "id": "",
            "name": self.name,
            "size": len(self.names),
            "mode": "interpolation" if self.is_video else "annotation",
            "overlap": 0,
            "bugtracker": "",
        }
        if frames is not None:
            step = f"step={frames.step}" if frames.step > 1 else ""
            values |= {"start_frame": frames.start, "stop_frame": frames[-1], "frame_filter": step}
        values |= {"subset": self.name, "z_order": "True"}
        labels = labels_text(
            self.tables,
            label_names(self.tables),
            self.elements.attributes.types(self.is_video),
            self.elements.skeletons(),
        )
        return task_text(values, self._original_size, labels)

    def _images(self, first: int, stop: int, own: Rows, bounds: Rows) -> Iterator[str]:
        """The elements of images; of a video, only those of frames that cannot do without."""
        start = bounds[first]
        texts = self.elements.texts(own[start : bounds[stop]], False)
        status = self.tables.items.column("status")[first:stop].to_pylist() if self._has_status else None
        for row in range(first, stop):
            inner = texts[bounds[row] - start : bounds[row + 1] - start]
            note = status[row - first] if status else None
            if not inner and note is None and self._is_plain(row):
                continue
            height, width = self.sizes[row]
            size = f' width="{width}" height="{height}"' if height and width else ""
            mark = "" if note is None else f' status="{attribute_value(note)}"'
            yield (
                f'  <image id="{self.frames[row]}" name="{attribute_value(self.names[row])}"{size}{mark}>\n'
                f"{''.join(inner)}  </image>\n"
            )

    @property
    def _has_status(self) -> bool:
        return "status" in self.tables.items.column_names

    @cached_property
    def _ids(self) -> list[str]:
        ids: list[str] = self.tables.items.column("id").to_pylist()
        return ids

    def _is_plain(self, row: int) -> bool:
        """Whether a frame is known from the head of the file."""
        if not self.is_video or self._range is None or self._ids[row] != frame_name(int(self.frames[row])):
            return False
        return (self._original_size or (0, 0)) == self.sizes[row]

    def _tracks(self) -> Iterator[str]:
        """The elements of tracks: shapes with the same track number, label, group, source and type."""
        elements = self.elements
        rows, keys = self._track_rows()
        is_first = np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0))
        for first in range(0, len(rows), BLOCK):
            texts = elements.texts(rows[first : first + BLOCK], True)
            for at, text in enumerate(texts, first):
                if is_first[at]:
                    yield "  </track>\n" if at else ""
                    yield elements.track_text(int(rows[at]), int(keys[0, at]))
                yield text
        if len(rows):
            yield "  </track>\n"

    def _track_rows(self) -> tuple[Rows, Rows]:
        """Rows of the shapes of tracks in the order of the file; and by row what all shapes of a track share."""
        elements = self.elements
        rows = np.flatnonzero(self._in_tracks & self._is_written)
        kinds = np.unique(elements.kinds[rows].astype(str), return_inverse=True)[1]
        keys = np.stack([
            self._track_numbers[rows], elements.labels[rows], elements.groups[rows], elements.sources[0][rows], kinds,
        ]).astype(np.int64)  # fmt: skip
        order = np.lexsort([self.frames[self.tables.item_rows[rows]], *keys[::-1]])
        return rows[order], keys[:, order]
