"""`Dataset`: building, editing, selecting, and the tables behind it."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pytest

from ddfast.annotated import (
    AnnotationType,
    Bbox,
    Caption,
    Cuboid3d,
    Dataset,
    DatasetItem,
    Ellipse,
    Label,
    LabelCategories,
    Mask,
    Points,
    Polygon,
    PolyLine,
    RleMask,
    Skeleton,
    Span,
)
from ddfast.errors import AnnotationError, CategoriesMismatchError, ItemNotFoundError, UnknownFormatError

EVERYTHING = [
    Label(2, attributes={"sure": True, "nested": [1, {"a": None}]}),
    Bbox(1.005, 2, 3, 4.25, label=0, id=7, group=3, z_order=-2),
    Bbox(1, 2, 3, 4, rotation=30.5, track=7, frame=3, author="me", source="tool", status="done", score=0.25),
    Bbox(1, 2, 3, 4, created="2020-01-01T00:00:00+02:00", attributes={"is_crowd": True, "n": 1}),
    Polygon([1, 2, 3.5, 2, 4, 1e9], label=1, attributes={"is_crowd": False}),
    PolyLine([1, 2, 0.1 + 0.2, 4]),
    Points([1, 2, 3, 4], [1, 2], label=0),
    Points([1, 2, 3, 4]),
    Skeleton([1, 2, 3, 4], [0, 2], ["left", "right"], label=1),
    Mask(np.eye(4, 5, dtype=bool), label=1),
    RleMask({"size": [2, 3], "counts": b"06"}),
    Caption("a «caption»"),
    Cuboid3d([1, 2, 3], [0.1, 0.2, 0.3], [4, 5, 6], label=2),
    Span(3, 8, 1, text="hello"),
    Ellipse(1, 2, 3, 4.5, label=2),
]


@pytest.fixture
def items():
    return [
        DatasetItem("first", annotations=list(EVERYTHING), image=np.ones((4, 5, 3)), attributes={"x": 1}),
        DatasetItem("a/b.c", subset="train", annotations=[Bbox(0, 0, 1, 1, label=1)], status="seen"),
        DatasetItem("empty", subset="train"),
    ]


@pytest.fixture
def dataset(items):
    return Dataset.from_iterable(items, categories=["cat", "dog", "person"])


def test_tables_give_back_equal_items(dataset, items):
    assert list(dataset) == items
    assert dataset.tables.items.num_rows == 3
    assert not dataset.is_modified
    assert list(dataset) == items


def test_annotations_refer_to_the_rows_of_items(dataset):
    items, annotations = dataset.items_table(), dataset.annotations_table()
    assert items.column("id").to_pylist() == ["first", "a/b.c", "empty"]
    assert annotations.column("item").to_pylist() == [0] * len(EVERYTHING) + [1]
    assert pc.count(pc.unique(annotations.column("type"))).as_py() == 11
    assert annotations.column("crowd").to_pylist().count(True) == 1


def test_get_put_remove(dataset, items):
    assert dataset.get("a/b.c", "train") == items[1]
    assert dataset.get("a/b.c") is None
    assert ("a/b.c", "train") in dataset
    assert "first" in dataset
    assert items[2] in dataset
    assert 5 not in dataset
    _ = dataset.tables  # from here on items are rows
    dataset.remove("first")
    dataset.remove("not there")
    dataset.put(DatasetItem("new", annotations=[Label(0)]))
    dataset.put(DatasetItem("empty", annotations=[Label(1)]), subset="train")
    assert dataset.is_modified
    expected = [("a/b.c", "train"), ("empty", "train"), ("new", "default")]
    assert len(dataset) == 3
    assert [(item.id, item.subset) for item in dataset] == expected
    assert dataset.tables.annotations.num_rows == 3
    assert [(item.id, item.subset) for item in dataset] == expected
    assert dataset.get("empty", "train").annotations == [Label(1)]


def test_a_change_of_an_item_needs_a_put(dataset):
    _ = dataset.tables  # from here on items are rows
    item = dataset.get("empty", "train")
    item.annotations.append(Label(0))
    assert dataset.get("empty", "train").annotations == []
    dataset.put(item)
    assert dataset.get("empty", "train").annotations == [Label(0)]


def test_update_replaces_and_adds(dataset):
    assert dataset.update([DatasetItem("empty", subset="train", status="x"), DatasetItem("more")]) is dataset
    assert len(dataset) == 4
    assert dataset.get("empty", "train").status == "x"


def test_select_and_subsets(dataset, items):
    assert list(dataset.select(lambda item: len(item.annotations) == 1)) == [items[1]]
    assert list(dataset.subsets()) == ["default", "train"]
    train = dataset.get_subset("train")
    assert len(train) == 2
    assert list(train) == items[1:]
    assert items[1] in train
    assert items[0] not in train
    train.put(DatasetItem("third"))
    assert dataset.get("third", "train") is not None
    train.remove("third")
    assert train.get("third") is None
    with pytest.raises(ItemNotFoundError, match=r"no subset 'val'; there are 'default', 'train'"):
        dataset.get_subset("val")


def test_from_extractors_merges_items_and_refuses_other_categories(dataset):
    other = Dataset.from_iterable(
        [DatasetItem("a/b.c", subset="train", annotations=[Bbox(0, 0, 1, 1, label=1), Label(0)])],
        categories=["cat", "dog", "person"],
    )
    merged = Dataset.from_extractors(dataset, other)
    assert len(merged) == 3
    assert merged.get("a/b.c", "train").annotations == [Bbox(0, 0, 1, 1, label=1), Label(0)]
    with pytest.raises(CategoriesMismatchError, match="label categories"):
        Dataset.from_extractors(dataset, Dataset.from_iterable([], categories=["dog"]))


def test_categories(dataset):
    labels = dataset.categories()[AnnotationType.label]
    assert isinstance(labels, LabelCategories)
    assert [label.name for label in labels] == ["cat", "dog", "person"]
    dataset.define_categories(["x"])
    assert [label.name for label in dataset.categories()[AnnotationType.label]] == ["x"]


def test_repr_counts(dataset):
    assert repr(dataset) == "Dataset(3 items, 16 annotations, 3 labels, subsets 'default', 'train')"


def test_coordinates_are_exact_whether_they_fit_float32_or_not():
    for value in (0.1, 473.07, 16777.21, 1e-9, 123456.789, 0.1 + 0.2):
        dataset = Dataset.from_iterable([DatasetItem("a", annotations=[Polygon([value, 1, 2, 3, 4, 5])])])
        _ = dataset.tables
        assert next(iter(dataset)).annotations[0].points[0] == value


def test_attributes_that_are_not_json_are_refused():
    dataset = Dataset.from_iterable([DatasetItem("a", annotations=[Label(0, attributes={"x": object()})])])
    with pytest.raises(AnnotationError, match="Attributes of label 0 are not JSON"):
        _ = dataset.tables


def test_export_needs_a_format_for_a_folder(dataset, tmp_path):
    with pytest.raises(UnknownFormatError, match="Name the format"):
        dataset.export(tmp_path / "out")
    with pytest.raises(UnknownFormatError, match=r"no format 'coca'. Did you mean 'coco"):
        dataset.export(tmp_path / "out", "coca")
    assert list(tmp_path.iterdir()) == []
