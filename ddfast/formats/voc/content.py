"""What of the tables goes into a Pascal VOC dataset: objects, parts, masks, and the label map."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.categories import LabelCategories, LabelCategory
from ddfast.annotated.colors import MaskCategories, RgbColor, voc_color
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.tables import codes, integers
from ddfast.formats.voc.label_map import BACKGROUND, LabelMapEntry, background_of, given_label_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddfast.annotated.tables import Tables
    from ddfast.formats.voc.options import VocWriteOptions

Flags = npt.NDArray[np.bool_]

BOX_TASKS = frozenset({"detection", "action", "layout"})


class VocContent:
    """Which annotations are written as what.

    Parameters:
        tables: to write.
        options: of the format.
        tasks: to write.
    """

    def __init__(self, tables: Tables, options: VocWriteOptions, tasks: Sequence[str]) -> None:
        self._tables = tables
        self._annotations = tables.annotations
        self.tasks = tasks
        self._given = given_label_map(options.label_map)
        self.labels = integers(self._annotations, "label", -1)

    @cached_property
    def source_labels(self) -> list[LabelCategory]:
        """The labels of the dataset."""
        labels = self._tables.categories.get(AnnotationType.label)
        return labels.items if isinstance(labels, LabelCategories) else []

    @cached_property
    def types(self) -> npt.NDArray[Any]:
        """Type of each annotation."""
        numbers, names = codes(self._annotations, "type")
        return np.array([*names, ""], object)[numbers]

    def _is(self, *types: str) -> Flags:
        found: Flags = np.isin(self.types, types)
        return found

    @cached_property
    def crowd(self) -> Flags:
        """Annotations of crowds; a mask of a crowd is written as a box, since masks have no attributes."""
        found: Flags = integers(self._annotations, "crowd") == 1
        return found

    @cached_property
    def candidates(self) -> Flags:
        """Annotations that are boxes, or are written as boxes."""
        if not BOX_TASKS & set(self.tasks):
            return np.zeros(len(self.labels), bool)
        found = self._is("bbox", "polygon") | (self._is("mask") & self.crowd)
        return found & ~self._boxed_twice

    @cached_property
    def _boxed_twice(self) -> Flags:
        """Polygons in one group with a box of the same label, which is the box of the same object."""
        polygons = self._is("polygon")
        groups = integers(self._annotations, "group")
        if not polygons.any() or not (self._is("bbox") & (groups != 0)).any():
            return np.zeros(len(groups), bool)
        keys = list(zip(self._tables.item_rows.tolist(), groups.tolist(), self.labels.tolist(), strict=True))
        known = {keys[row] for row in np.flatnonzero(self._is("bbox") & (groups != 0)).tolist()}
        twice = np.zeros(len(groups), bool)
        for row in np.flatnonzero(polygons & (groups != 0)).tolist():
            twice[row] = keys[row] in known
        return twice

    @cached_property
    def owners(self) -> dict[int, int]:
        """Row of the object of each part: a box of the parent label in the same group."""
        parents = self._parents
        if not parents or "layout" not in self.tasks:
            return {}
        groups = integers(self._annotations, "group")
        items = self._tables.item_rows
        boxes = self.candidates & (groups != 0)
        by_key = {
            (items[row], groups[row], self.labels[row]): row
            for row in np.flatnonzero(boxes & np.isin(self.labels, list(parents.values())))[::-1].tolist()
        }
        found = {}
        for row in np.flatnonzero(boxes & np.isin(self.labels, list(parents))).tolist():
            owner = by_key.get((items[row], groups[row], parents[int(self.labels[row])]))
            if owner is not None:
                found[row] = owner
        return found

    @cached_property
    def _parents(self) -> dict[int, int]:
        """The parent of each label whose parent is another label."""
        names = {item.name: index for index, item in reversed(list(enumerate(self.source_labels)))}
        return {
            index: names[item.parent]
            for index, item in enumerate(self.source_labels)
            if item.parent in names and item.parent != item.name
        }

    @cached_property
    def objects(self) -> Flags:
        """Annotations that are written as objects."""
        found = self.candidates & self._known
        found[list(self.owners)] = False
        return found

    @cached_property
    def masks(self) -> Flags:
        """Annotations that are written as masks."""
        if "segmentation" not in self.tasks:
            return np.zeros(len(self.labels), bool)
        return self._is("mask") & ~self.crowd & self._known

    @cached_property
    def classes(self) -> Flags:
        """Annotations that are written into lists of labels."""
        if "classification" not in self.tasks:
            return np.zeros(len(self.labels), bool)
        return self._is("label") & self._known

    @cached_property
    def _known(self) -> Flags:
        """Annotations whose label is in the label map."""
        known: Flags = np.append(self.entry_of, -1)[self.labels] >= 0
        return known

    # -- the label map

    @cached_property
    def _source_map(self) -> list[LabelMapEntry]:
        """The label map of the labels of the dataset."""
        loose = np.flatnonzero(self.candidates | self._is("mask", "label"))
        loose = np.setdiff1d(loose, list(self.owners))
        only_parts = set(self._parents) - set(self.labels[loose].tolist())
        colors = self._tables.categories.get(AnnotationType.mask)
        colormap = colors.colormap if isinstance(colors, MaskCategories) else {}
        entries: dict[str, LabelMapEntry] = {}
        for index, item in enumerate(self.source_labels):
            if index not in only_parts and item.name not in entries:
                parts = [
                    self.source_labels[one].name for one, parent in self._parents.items() if parent == index
                ]
                entries[item.name] = LabelMapEntry(
                    item.name,
                    colormap.get(index),
                    tuple(dict.fromkeys(parts)),
                    tuple(sorted(item.attributes)),
                )
        return list(entries.values())

    @cached_property
    def entries(self) -> list[LabelMapEntry]:
        """The label map that is written. With masks, every label has a colour and the first one is background."""
        entries = list(self._source_map if self._given is None else self._given)
        names = [item.name for item in self.source_labels]
        masks = (
            self._is("mask") & ~self.crowd
            if "segmentation" in self.tasks
            else np.zeros(len(self.labels), bool)
        )
        if not masks.any():
            return entries
        used = {names[label] for label in np.unique(self.labels[masks]).tolist() if label >= 0}
        background = background_of(entries)
        black = None if background is None else entries[background]
        if (
            black is not None and black.name.lower() != BACKGROUND and black.name in used
        ):  # an object, though black
            entries[background or 0] = replace(black, color=None)
            background = background_of(entries)
        first = LabelMapEntry(BACKGROUND, (0, 0, 0)) if background is None else entries.pop(background)
        return _colored([replace(first, color=(0, 0, 0)), *entries])

    @cached_property
    def entry_of(self) -> npt.NDArray[np.int64]:
        """For each label of the dataset, its place in the label map; -1 if it is not there."""
        places = {entry.name: place for place, entry in reversed(list(enumerate(self.entries)))}
        return np.array([places.get(item.name, -1) for item in self.source_labels], np.int64)

    # -- what has no place

    def losses(self) -> Counter[str]:
        """What is not written, or written as something else, beyond what the format's types say."""
        lost: Counter[str] = Counter()
        for name, chosen in (
            ("boxes", self._is("bbox") & self.candidates),
            ("masks", self._is("mask") & ~self.crowd & ("segmentation" in self.tasks)),
            ("labels", self._is("label") & ("classification" in self.tasks)),
        ):
            lost[f"{name} without a label"] += int((chosen & (self.labels < 0)).sum())
            outside = chosen & (self.labels >= 0) & ~self._known
            outside[list(self.owners)] = False
            lost[f"{name} of labels that the label map lacks"] += int(outside.sum())
        if "segmentation" in self.tasks:
            lost["masks of crowds (written as boxes)"] += int((self._is("mask") & self.crowd).sum())
        if BOX_TASKS & set(self.tasks) and "attributes" in self._annotations.column_names:
            given = ~self._annotations.column("attributes").is_null().to_numpy()
            lost["attributes of masks and labels"] += int((given & (self.masks | self.classes)).sum())
        return +lost


def _colored(entries: list[LabelMapEntry]) -> list[LabelMapEntry]:
    """Entries with a colour each; those without one get a colour of Pascal VOC that no other has."""
    used = {entry.color for entry in entries}
    found = []
    for place, entry in enumerate(entries):
        color: RgbColor | None = entry.color
        if color is None:
            color = next(one for one in map(voc_color, range(place, 1 << 24)) if one not in used)
            used.add(color)
        found.append(replace(entry, color=color))
    return found
