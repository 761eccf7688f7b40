"""The categories of COCO files as labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.categories import Categories, LabelCategories
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.errors import CategoriesError
from ddfast.formats.coco.ids import Lookup, TextIds, as_id, is_unicode

if TYPE_CHECKING:
    from ddfast.annotated.report import Report

Problem = Callable[[str, str], None]
"""Called with the place in the file and what is wrong there."""

KNOWN = {"id", "name", "supercategory", "keypoints", "skeleton"}


class Labels:
    """The categories of all files, in the order of the first one.

    Parameters:
        report: gets a note about categories with one name.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._labels = LabelCategories()
        self._points = PointsCategories()
        self._numbers: dict[tuple[str, str], int] = {}

    def add(self, text: bytes | None, texts: TextIds, problem: Problem) -> Lookup:
        """Add the categories of a file, and return their labels by id."""
        entries = json.loads(text) if text else []
        found = Lookup(texts)
        seen: dict[int, int | str] = {}
        if not isinstance(entries, list | None):
            problem("", "the categories are not a list")
            entries = []
        for place, entry in enumerate(entries or []):
            try:
                number, label = self._add(entry)
            except (ValueError, TypeError, CategoriesError) as error:
                problem(f"record {place} of categories", str(error))
                continue
            if label in seen and seen[label] != number:
                self._report.notes.append(
                    f"Categories {seen[label]} and {number} have the same name and supercategory,"
                    f" {self._labels[label].name!r}: they are read as one label"
                )
            seen.setdefault(label, number)
            known = number if isinstance(number, int) else texts.number(number)
            found.add(np.array([known], np.int64), np.array([label], np.int64))
        return found

    def _add(self, entry: Any) -> tuple[int | str, int]:
        number = as_id(entry.get("id")) if isinstance(entry, Mapping) else None
        if number is None or entry.get("name") in (None, ""):
            raise ValueError("it needs an id, which is an integer, and a name")
        if not is_unicode(json.dumps(entry, ensure_ascii=False)):
            raise ValueError("a text in it is not Unicode")
        name, parent = str(entry["name"]), str(entry.get("supercategory") or "")
        label = self._numbers.get((name, parent))
        if label is None:
            if name in self._labels:
                self._report.notes.append(
                    f"Two categories are called {name!r}; their supercategories tell them apart"
                )
            label = self._numbers[name, parent] = self._labels.add(name, parent, id=number)
        extra = self._labels[label].extra
        extra.update((key, value) for key, value in entry.items() if key not in KNOWN and key not in extra)
        if entry.get("keypoints") and label not in self._points:
            joints = {tuple(int(point) - 1 for point in joint) for joint in entry.get("skeleton") or ()}
            self._points.add(label, entry["keypoints"], joints)
        return number, label

    def categories(self) -> dict[AnnotationType, Categories]:
        """The categories of all files."""
        found: dict[AnnotationType, Categories] = {AnnotationType.label: self._labels}
        if len(self._points):
            found[AnnotationType.points] = self._points
        return found
