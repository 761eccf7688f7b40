"""The labels of a Pascal VOC dataset while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.formats.voc.label_map import ACTIONS, LabelMapEntry, categories_of, voc_map

if TYPE_CHECKING:
    import numpy.typing as npt

    from ddfast.annotated.categories import Categories


class VocLabels:
    """Labels by name: those of a label map, then others in order of appearance.

    Parameters:
        entries: the label map; None if the dataset has none.
        parts: whether parts of objects are labels, too.
    """

    def __init__(self, entries: list[LabelMapEntry] | None, parts: bool) -> None:
        self._parts = parts
        self.entries = entries
        self._numbers: dict[tuple[str, str], int] = {}
        self._actions: dict[str, tuple[str, ...]] = {entry.name: entry.actions for entry in entries or ()}
        if entries is None:
            self._actions["person"] = ACTIONS
        for name in self._known(entries or []):
            self._numbers[name] = len(self._numbers)
        self._given = len(self._numbers)

    def _known(self, entries: list[LabelMapEntry]) -> list[tuple[str, str]]:
        parts = [(part, entry.name) for entry in entries for part in dict.fromkeys(entry.parts)]
        return [*((entry.name, "") for entry in entries), *(parts if self._parts else ())]

    def number(self, name: str, parent: str = "") -> int:
        """The number of a label; ``parent`` is the label that it is a part of."""
        key = (name, parent)
        if parent and key not in self._numbers and (name, "") in self._numbers:
            key = (name, "")
        return self._numbers.setdefault(key, len(self._numbers))

    def actions(self, name: str) -> tuple[str, ...]:
        """The actions of a label."""
        return self._actions.get(name, ())

    @property
    def added(self) -> list[str]:
        """Names of labels that the label map lacks."""
        return [name for name, _ in list(self._numbers)[self._given :]]

    def finish(
        self, complete: bool, masks: bool
    ) -> tuple[dict[AnnotationType, Categories], npt.NDArray[np.int32]]:
        """The categories, and the final label of each number.

        Parameters:
            complete: whether a dataset without label map whose labels are all of Pascal VOC has all labels of it.
            masks: whether there are categories of masks.
        """
        entries = self.entries
        if entries is None and complete and set(self._numbers) <= set(self._known(voc_map())):
            entries = voc_map()
        masks = masks and entries is not None
        categories = categories_of(entries or [], parts=self._parts, masks=masks)
        labels = categories[AnnotationType.label]
        assert isinstance(labels, LabelCategories)
        final = []
        for name, parent in self._numbers:
            index = labels.find(name, parent)[0]
            final.append(labels.add(name, parent) if index is None else index)
        return categories, np.array(final, np.int32)
