"""What every format of annotated datasets must do, as tests.

Subclass `FormatTests` in a test module, and name the format::

    class TestMyFormat(FormatTests):
        format = "my_format"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ddfast.annotated import (
    Annotation,
    Bbox,
    Caption,
    Dataset,
    DatasetItem,
    Label,
    Mask,
    Points,
    Polygon,
    PolyLine,
)
from ddfast.annotated.registry import find_format
from ddfast.errors import DatasetExistsError, LossyExportError

LABELS = ["cat", "dog", "a person", "Ärger"]
SIZE = (60, 80)

NAMES = ["plain", "with.dots.v2", "folder/inner/name", "with space", "日本語/ü"]
"""Ids that every format must keep."""


def _mask() -> np.ndarray[Any, Any]:
    mask = np.zeros(SIZE, bool)
    mask[10:30, 20:50] = True
    mask[15:20, 25:30] = False  # a hole
    return mask


SAMPLES: dict[str, Callable[[int], Annotation]] = {
    "bbox": lambda label: Bbox(10, 12.5, 20, 30, label=label),
    "polygon": lambda label: Polygon([1.5, 2, 30, 4, 25.25, 40], label=label),
    "polyline": lambda label: PolyLine([1.5, 2, 30, 4, 25, 40], label=label),
    "mask": lambda label: Mask(_mask(), label=label),
    "points": lambda label: Points([5, 6, 7.5, 8], [2, 1], label=label),
    "label": Label,
    "caption": lambda label: Caption(f"a picture, number {label}"),
}
"""An annotation of each type."""


class FormatTests:
    """The tests of a format.

    Class attributes:
        format: its name.
        digits: decimals that coordinates keep; None if they are exact.
        one_label: whether each item has exactly one label, as formats of classification demand.
        keeps_empty: whether items without annotations survive without their image.
        names: ids that it must keep.
    """

    format: ClassVar[str]
    digits: ClassVar[int | None] = None
    one_label: ClassVar[bool] = False
    keeps_empty: ClassVar[bool] = True
    names: ClassVar[Sequence[str]] = NAMES

    @property
    def types(self) -> list[str]:
        """Types of annotations that the format holds and `SAMPLES` has."""
        held = find_format(self.format).holds.types
        return [name for name in SAMPLES if name in held]

    def annotations(self, number: int) -> list[Annotation]:
        """Annotations of an item."""
        if self.one_label:
            return [Label(number % len(LABELS))]
        return [SAMPLES[name]((number + place) % len(LABELS)) for place, name in enumerate(self.types)]

    def dataset(self, names: Sequence[str] = (), subsets: Sequence[str] = ("train", "val")) -> Dataset:
        """A dataset with images, one item of each name in each subset."""
        items = [
            DatasetItem(
                name,
                subset=subset,
                annotations=self.annotations(number),
                image=np.full((*SIZE, 3), number, np.uint8),
            )
            for subset in subsets
            for number, name in enumerate(names or self.names)
        ]
        return Dataset.from_iterable(items, categories=LABELS)

    def round_trip(self, dataset: Dataset, folder: Path, **options: Any) -> Dataset:
        """The dataset, exported and imported."""
        dataset.export(folder, self.format, save_media=True, **options)
        return Dataset.import_from(folder, self.format)

    def test_round_trip_keeps_items_annotations_and_labels(self, tmp_path: Path) -> None:
        before = self.dataset()
        after = self.round_trip(before, tmp_path / "out")
        self.assert_equal(before, after)

    def test_images_are_copied(self, tmp_path: Path) -> None:
        before = self.dataset()
        after = self.round_trip(before, tmp_path / "out")
        for item in before:
            found = after.get(item.id, item.subset)
            assert found is not None
            assert found.image is not None
            assert found.image == item.image

    def test_written_folder_is_recognised(self, tmp_path: Path) -> None:
        self.dataset().export(tmp_path / "out", self.format, save_media=True)
        found = Dataset.detect(tmp_path / "out")
        assert self.format in [one.format for one in found]
        assert all(one.reason for one in found)

    def test_items_without_annotations_stay(self, tmp_path: Path) -> None:
        if self.one_label:
            pytest.skip("items have exactly one label")
        before = self.dataset()
        before.put(DatasetItem("nothing", subset="train", image=np.zeros((*SIZE, 3), np.uint8)))
        after = self.round_trip(before, tmp_path / "out")
        empty = after.get("nothing", "train")
        assert empty is not None
        assert empty.annotations == []

    def test_two_exports_are_equal(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            self.dataset().export(tmp_path / name, self.format, save_media=True)
        assert _contents(tmp_path / "one") == _contents(tmp_path / "two")

    def test_existing_folder_is_kept_unless_overwrite(self, tmp_path: Path) -> None:
        target = tmp_path / "out"
        target.mkdir()
        (target / "mine.txt").write_text("mine")
        with pytest.raises(DatasetExistsError, match="overwrite"):
            self.dataset().export(target, self.format)
        assert _contents(target) == {"mine.txt": b"mine"}
        self.dataset().export(target, self.format, overwrite=True)
        assert "mine.txt" not in _contents(target)

    def test_what_has_no_place_is_counted_and_refused_if_strict(self, tmp_path: Path) -> None:
        held = find_format(self.format).holds.types
        missing = next((name for name in SAMPLES if name not in held), None)
        if missing is None:
            pytest.skip("the format holds all types")
        dataset = self.dataset()
        item = next(iter(dataset))
        dataset.put(item.wrap(annotations=[*item.annotations, SAMPLES[missing](0)]))
        with pytest.raises(LossyExportError, match="have no place"):
            dataset.export(tmp_path / "out", self.format, strict=True)
        assert not (tmp_path / "out").exists()
        assert sum(dataset.export(tmp_path / "out", self.format).lost.values()) == 1

    def test_a_failed_export_leaves_nothing(self, tmp_path: Path) -> None:
        dataset = self.dataset()
        first = next(iter(dataset))
        dataset.put(first.wrap(media=str(tmp_path / "gone.png")))
        with pytest.raises(OSError, match="gone"):
            dataset.export(tmp_path / "out", self.format, save_media=True)
        assert list(tmp_path.iterdir()) == []

    def test_through_one_file_and_back(self, tmp_path: Path) -> None:
        before = self.round_trip(self.dataset(), tmp_path / "first")
        before.export(tmp_path / "x.msgpack")
        after = self.round_trip(Dataset.import_from(tmp_path / "x.msgpack"), tmp_path / "second")
        self.assert_equal(before, after)

    def assert_equal(self, before: Dataset, after: Dataset) -> None:
        """Compare ids, subsets, labels by name, and annotations."""
        keys = [(item.subset, item.id) for item in before]
        assert sorted((item.subset, item.id) for item in after) == sorted(keys)
        for item in before:
            found = after.get(item.id, item.subset)
            assert found is not None
            assert self._plain(found, after) == self._plain(item, before), item.id

    def _plain(self, item: DatasetItem, dataset: Dataset) -> list[Any]:
        """Annotations in a form that can be compared and sorted: type, name of label, rounded values."""
        found = [_values(one, _names(dataset), self.digits) for one in item.annotations]
        return sorted(found, key=repr)


def _names(dataset: Dataset) -> list[str]:
    from ddfast.annotated import AnnotationType

    labels = dataset.categories().get(AnnotationType.label)
    return [item.name for item in getattr(labels, "items", [])]


def _values(one: Annotation, names: Sequence[str], digits: int | None) -> tuple[Any, ...]:
    label = getattr(one, "label", None)
    values: list[Any] = [one.type.name, None if label is None else names[label]]
    if isinstance(one, Mask):
        values.append(one.rle)
    elif hasattr(one, "points"):
        values.append([float(x) if digits is None else round(float(x), digits) for x in one.points])
        values.append([int(state) for state in getattr(one, "visibility", [])])
    values.append(getattr(one, "caption", None))
    return tuple(values)


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
