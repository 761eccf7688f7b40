"""Writes the lists of a Pascal VOC dataset: which items are in a subset, and have a label or do something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ddfast.annotated.tables import integers
from ddfast.errors import FormatError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.tables import Tables
    from ddfast.formats.voc.content import VocContent
    from ddfast.formats.voc.objects import ObjectTexts


def checked_id(key: str) -> str:
    """An id that stands in lists as it is.

    Raises:
        FormatError: it would be read as something else.
    """
    if key != key.strip() or key[:1] in ("", "#") or len(key.splitlines()) > 1 or "\\" in key:
        raise FormatError(
            f"Lists of voc cannot hold the id {key!r}: it is empty, starts with # or a space, ends with a space, or"
            " has a line break or a backslash. Rename the item"
        )
    return key


class SubsetLists:
    """Writes the lists of subsets.

    Parameters:
        content: what is written.
        keep_empty: whether lists without items are written.
    """

    def __init__(self, content: VocContent, keep_empty: bool) -> None:
        self._content = content
        self._tasks = set(content.tasks)
        self._keep_empty = keep_empty

    def write(
        self,
        output: OutputFolder,
        subset: str,
        rows: npt.NDArray[np.int64],
        keys: list[str],
        tables: Tables,
        objects: ObjectTexts,
    ) -> None:
        """Write the lists of a subset.

        Parameters:
            output: the folder.
            subset: its name.
            rows: of its items.
            keys: name of the files of all items.
            tables: of the dataset.
            objects: text of all objects.
        """
        names = [keys[row] for row in rows.tolist()]
        main = bool({"classification", "detection"} & self._tasks)
        if main:
            self._list(output, f"Main/{subset}", names)
        if "classification" in self._tasks:
            self._write_classes(output, subset, rows, names, tables)
        if "segmentation" in self._tasks:
            segmented = np.zeros(tables.items.num_rows, bool)
            segmented[tables.item_rows[self._content.masks]] = True
            chosen = [
                key for row, key in zip(rows.tolist(), names, strict=True) if segmented[row] or not main
            ]
            self._list(output, f"Segmentation/{subset}", chosen)
        if "layout" in self._tasks:
            self._list(output, f"Layout/{subset}", self._layout(rows, keys, objects, not main))
        if "action" in self._tasks:
            self._write_actions(output, subset, rows, keys, objects, not main)

    def _list(self, output: OutputFolder, name: str, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        if text or self._keep_empty:
            output.write(f"ImageSets/{name}.txt", text)

    def _write_classes(
        self, output: OutputFolder, subset: str, rows: npt.NDArray[np.int64], names: list[str], tables: Tables
    ) -> None:
        """One list for each label: all items of the subset that have labels, and whether they have this one."""
        chosen = np.flatnonzero(self._content.classes)
        labels = self._content.entry_of[integers(tables.annotations, "label")[chosen]]
        places = np.full(tables.items.num_rows, -1, np.int64)
        places[rows] = np.arange(len(rows))
        items = places[tables.item_rows[chosen]]
        labels, items = labels[items >= 0], items[items >= 0]
        if not len(items) and not self._keep_empty:
            return
        labelled = np.unique(items)
        absent = [f"{names[place]} -1\n" for place in labelled.tolist()]
        positions = np.searchsorted(labelled, items)
        for number, entry in enumerate(self._content.entries):
            lines = list(absent)
            for place in np.unique(positions[labels == number]).tolist():
                lines[place] = f"{names[labelled[place]]}  1\n"
            output.write(f"ImageSets/Main/{entry.name}_{subset}.txt", "".join(lines))

    @staticmethod
    def _layout(rows: npt.NDArray[np.int64], keys: list[str], objects: ObjectTexts, every: bool) -> list[str]:
        """Lines for objects with parts: the item, and the number of the object from 1 on."""
        lines = []
        for row in rows.tolist():
            start, stop = int(objects.starts[row]), int(objects.starts[row + 1])
            key = f'"{keys[row]}"' if " " in keys[row] else keys[row]
            found = [
                f"{key} {number - start + 1:2d}"
                for number in range(start, stop)
                if objects.has_parts(int(objects.rows[number]))
            ]
            lines += found or ([key] if every else [])
        return lines

    def _write_actions(
        self,
        output: OutputFolder,
        subset: str,
        rows: npt.NDArray[np.int64],
        keys: list[str],
        objects: ObjectTexts,
        every: bool,
    ) -> None:
        """The items that have objects with actions, and one list for each action: item, object, and yes or no."""
        if not any(entry.actions for entry in self._content.entries) and not every and not self._keep_empty:
            return
        found = objects.actions(0, len(keys))
        listed, lines = [], dict[str, list[str]]()
        for row in rows.tolist():
            start = int(objects.starts[row])
            own = [number for number in range(start, int(objects.starts[row + 1])) if number in found]
            if own or every:
                listed.append(keys[row])
            for number in own:
                for action, value in found[number].items():
                    mark = 1 if value else -1
                    lines.setdefault(action, []).append(f"{keys[row]} {number - start + 1} {mark:2d}")
        self._list(output, f"Action/{subset}", listed)
        for action in dict.fromkeys(action for entry in self._content.entries for action in entry.actions):
            if action in lines or self._keep_empty:
                self._list(output, f"Action/{action}_{subset}", lines.get(action, []))
