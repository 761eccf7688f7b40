"""COCO: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pycocotools.mask as pycocotools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ddfast.annotated import (
    Annotation,
    AnnotationType,
    Bbox,
    Caption,
    Dataset,
    DatasetItem,
    LabelCategories,
    Mask,
    Points,
    Polygon,
    masks,
)
from ddfast.annotated.pixels import decode, encode
from ddfast.annotated.report import Problem
from ddfast.errors import FormatError, FormatOptionError, JSONFormatError
from ddfast.testing.formats import FormatTests

TRIANGLE = [1.0, 2.0, 11.0, 2.0, 1.0, 12.0]
BOX = [1.0, 2.0, 10.0, 10.0]
Record = dict[str, Any]


class TestCoco(FormatTests):
    format = "coco"


def document(annotations: Any, **members: Any) -> Record:
    """A file with the images 7 (a.jpg) and 9 (b.jpg) of 20 x 30 pixels and the categories 1 (cat) and 3 (dog)."""
    images = [
        {"id": number, "file_name": name, "height": 20, "width": 30}
        for number, name in ((7, "a.jpg"), (9, "b.jpg"))
    ]
    categories = [{"id": 1, "name": "cat", "supercategory": ""}, {"id": 3, "name": "dog"}]
    return {"images": images, "categories": categories, "annotations": annotations, **members}


def record(**members: Any) -> Record:
    """A polygon."""
    return {
        "id": 5,
        "image_id": 7,
        "category_id": 3,
        "segmentation": [TRIANGLE],
        "bbox": BOX,
        "area": 50.0,
        "iscrowd": 0,
        **members,
    }


def folder(root: Path, form: Any, name: str = "instances_train") -> Path:
    """A dataset with one file."""
    path = root / f"annotations/{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(form if isinstance(form, str) else json.dumps(form))
    return root


def read(root: Path, form: Any, **options: Any) -> Dataset:
    """The dataset of one file."""
    return Dataset.import_from(folder(root / "in", form), "coco", **options)


def written(dataset: Dataset, root: Path, name: str = "instances_train", **options: Any) -> Record:
    """What the export of a dataset has in one file."""
    dataset.export(root / "out", "coco", overwrite=True, **options)
    form: Record = json.loads((root / f"out/annotations/{name}.json").read_text())
    return form


def only(dataset: Dataset, id: str = "a") -> Any:
    """The one annotation of an item."""
    item = dataset.get(id, "train")
    assert item is not None
    (annotation,) = item.annotations
    return annotation


def of(dataset: Dataset, id: str = "a") -> list[Annotation]:
    """The annotations of an item."""
    item = dataset.get(id, "train")
    assert item is not None
    return list(item.annotations)


def labels(dataset: Dataset) -> LabelCategories:
    """The labels of a dataset."""
    found = dataset.categories()[AnnotationType.label]
    assert isinstance(found, LabelCategories)
    return found


class TestCategories:
    def test_id_0_is_a_label_and_is_written_again(self, tmp_path: Path) -> None:
        categories = [{"id": 0, "name": "cat"}, {"id": 4, "name": "dog"}]
        dataset = read(tmp_path, document([record(category_id=0)], categories=categories))
        assert only(dataset).label == 0
        form = written(dataset, tmp_path)
        assert [one["id"] for one in form["categories"]] == [0, 4]
        assert form["annotations"][0]["category_id"] == 0

    def test_an_absent_category_is_no_label(self, tmp_path: Path) -> None:
        form = record()
        del form["category_id"]
        assert only(read(tmp_path, document([form]))).label is None

    def test_0_without_such_a_category_is_no_label_and_noted(self, tmp_path: Path) -> None:
        dataset = read(tmp_path, document([record(category_id=0)]))
        assert only(dataset).label is None
        assert "1 annotations have the category 0, which does not exist" in dataset.report.notes[0]
        assert "category_id" not in written(dataset, tmp_path)["annotations"][0]

    def test_huge_and_sparse_ids(self, tmp_path: Path) -> None:
        ids = [74673216, -5, 2**62]
        categories = [{"id": id, "name": f"c{id}"} for id in ids]
        records = [record(id=place + 1, category_id=id) for place, id in enumerate(ids)]
        dataset = read(tmp_path, document(records, categories=categories))
        assert [getattr(one, "label", None) for one in of(dataset)] == [0, 1, 2]
        assert [one["category_id"] for one in written(dataset, tmp_path)["annotations"]] == ids

    def test_one_name_twice_is_told_apart_by_the_supercategory(self, tmp_path: Path) -> None:
        categories = [
            {"id": 0, "name": "fish", "supercategory": "none"},
            {"id": 1, "name": "fish", "supercategory": "fish"},
        ]
        dataset = read(tmp_path, document([record(category_id=1)], categories=categories))
        assert only(dataset).label == 1
        assert [(one.name, one.parent) for one in labels(dataset)] == [("fish", "none"), ("fish", "fish")]
        assert dataset.report.notes == [
            "Two categories are called 'fish'; their supercategories tell them apart"
        ]

    def test_equal_categories_are_one_label(self, tmp_path: Path) -> None:
        categories = [{"id": 1, "name": "fish"}, {"id": 2, "name": "fish"}]
        records = [record(id=1, category_id=1), record(id=2, category_id=2)]
        dataset = read(tmp_path, document(records, categories=categories))
        assert [getattr(one, "label", None) for one in of(dataset)] == [0, 0]
        assert "Categories 1 and 2 have the same name" in dataset.report.notes[0]

    def test_what_else_a_category_says_is_kept(self, tmp_path: Path) -> None:
        categories = [{"id": 3, "name": "dog", "frequency": "r", "synonyms": ["hound"], "isthing": 1}]
        dataset = read(tmp_path, document([record()], categories=categories))
        assert labels(dataset)[0].extra == {"frequency": "r", "synonyms": ["hound"], "isthing": 1}
        dataset.export(tmp_path / "x.msgpack")
        again = Dataset.import_from(tmp_path / "x.msgpack")
        assert written(again, tmp_path)["categories"] == [{**categories[0], "supercategory": ""}]

    @pytest.mark.parametrize(
        "entry", [{"id": 3}, {"name": "dog"}, {"id": 1.5, "name": "dog"}, 17, {"id": 3, "name": ""}]
    )
    def test_a_category_that_makes_no_sense(self, tmp_path: Path, entry: Any) -> None:
        form = document([], categories=[{"id": 1, "name": "cat"}, entry])
        with pytest.raises(
            FormatError, match=r"instances_train\.json, record 1 of categories: it needs an id"
        ):
            read(tmp_path, form)
        assert [one.name for one in labels(read(tmp_path, form, on_error="skip"))] == ["cat"]


class TestIds:
    def test_annotation_id_0_is_numbered_from_1(self, tmp_path: Path) -> None:
        dataset = read(tmp_path, document([record(id=0), record(id=1, image_id=9)]))
        assert "has the id 0" in dataset.report.notes[0]
        assert [one["id"] for one in written(dataset, tmp_path)["annotations"]] == [1, 2]

    def test_image_id_0_is_numbered_from_1(self, tmp_path: Path) -> None:
        images = [{"id": number, "file_name": f"{number}.jpg"} for number in (0, 1)]
        form = written(read(tmp_path, document([record(image_id=0)], images=images)), tmp_path)
        assert [one["id"] for one in form["images"]] == [1, 2]
        assert form["annotations"][0]["image_id"] == 1

    def test_repeated_annotation_ids_stay_apart(self, tmp_path: Path) -> None:
        other = [20.0, 3.0, 25.0, 3.0, 20.0, 9.0]
        dataset = read(tmp_path, document([record(id=5), record(id=5, segmentation=[other])]))
        assert [getattr(one, "points", None) for one in of(dataset)] == [TRIANGLE, other]
        form = written(dataset, tmp_path)
        assert [(one["id"], one["segmentation"]) for one in form["annotations"]] == [
            (1, [TRIANGLE]),
            (2, [other]),
        ]

    def test_repeated_ids_of_keypoints_keep_their_own_shapes(self, tmp_path: Path) -> None:
        other = [20.0, 3.0, 25.0, 3.0, 20.0, 9.0]
        people = [
            record(id=5, segmentation=[shape], keypoints=[*shape[:2], 2, *shape[2:4], 1], num_keypoints=2)
            for shape in (TRIANGLE, other)
        ]
        root = folder(tmp_path / "in", document(people), "person_keypoints_train")
        dataset = Dataset.import_from(root, "coco")
        groups = [one.group for one in of(dataset)]
        assert groups[0] == groups[1] != groups[2] == groups[3]
        form = written(dataset, tmp_path, "person_keypoints_train")
        assert [one["segmentation"] for one in form["annotations"]] == [[TRIANGLE], [other]]

    def test_texts_as_ids_are_attributes_and_integers_are_written(self, tmp_path: Path) -> None:
        images = [{"id": "first", "file_name": "a.jpg"}, {"id": "second", "file_name": "b.jpg"}]
        categories = [{"id": "c", "name": "cat"}]
        records = [record(id="x", image_id="second", category_id="c", attributes={"n": 1})]
        dataset = read(tmp_path, document(records, images=images, categories=categories))
        assert [item.attributes for item in dataset] == [{"id": "first"}, {"id": "second"}]
        one = only(dataset, "b")
        assert one.label == 0
        assert one.attributes == {"id": "x", "n": 1, "is_crowd": False}
        form = written(dataset, tmp_path)
        assert [one["id"] for one in form["images"]] == [1, 2]
        assert [form["annotations"][0][name] for name in ("id", "image_id", "category_id")] == [1, 2, 1]

    def test_texts_of_digits_mean_their_number(self, tmp_path: Path) -> None:
        dataset = read(tmp_path, document([record(id="0017", image_id="7", category_id="3")]))
        one = only(dataset)
        assert (one.id, one.label, one.attributes["id"]) == (17, 1, "0017")
        images = [{"id": "7", "file_name": "a.jpg"}]
        assert only(read(tmp_path, document([record(image_id=7)], images=images))).label == 1

    def test_integers_beyond_64_bits(self, tmp_path: Path) -> None:
        images = [{"id": 2**70, "file_name": "a.jpg"}]
        assert only(read(tmp_path, document([record(image_id=2**70, id=2**80)], images=images))).label == 1

    def test_an_image_id_of_two_images_is_noted(self, tmp_path: Path) -> None:
        images = [{"id": 7, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}]
        dataset = read(tmp_path, document([record()], images=images))
        assert only(dataset, "a").label == 1
        assert "several images have the id 7" in dataset.report.notes[0]

    def test_one_name_with_two_extensions_is_two_images(self, tmp_path: Path) -> None:
        images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "a.png"}]
        dataset = read(tmp_path, document([record(image_id=2)], images=images))
        assert [item.id for item in dataset] == ["a", "a.png"]
        assert only(dataset, "a.png").label == 1


class TestShapes:
    def test_several_parts_are_one_record(self, tmp_path: Path) -> None:
        other = [20.0, 3.0, 25.0, 3.0, 20.0, 9.0, 21.0, 4.0]
        dataset = read(tmp_path, document([record(segmentation=[TRIANGLE, other])]))
        assert [(one.id, getattr(one, "points", None)) for one in of(dataset)] == [(5, TRIANGLE), (5, other)]
        (form,) = written(dataset, tmp_path)["annotations"]
        assert form["segmentation"] == [TRIANGLE, other]
        assert form["area"] == 50.0

    def test_holes_stay(self, tmp_path: Path) -> None:
        pixels = np.zeros((20, 30), bool)
        pixels[2:12, 3:15] = True
        pixels[5:8, 6:9] = False
        rle = masks.encode(pixels)
        form = {"size": [20, 30], "counts": rle["counts"].decode()}
        dataset = read(tmp_path, document([record(segmentation=form, bbox=[3, 2, 12, 10], area=111)]))
        assert np.array_equal(only(dataset).image, pixels)
        (out,) = written(dataset, tmp_path)["annotations"]
        assert out["segmentation"] == {"size": [20, 30], "counts": masks.counts_of(rle).tolist()}
        assert out["iscrowd"] == 0

    def test_every_digit_is_kept(self, tmp_path: Path) -> None:
        shape = [0.1, 1 / 3, 11.123456789012345, 2e-7, 1.25, 12.000000000000002]
        dataset = read(
            tmp_path, document([record(segmentation=[shape], bbox=[0.1, 1 / 3, 2.1, 3.3], area=1 / 7)])
        )
        (form,) = written(dataset, tmp_path)["annotations"]
        assert form["segmentation"] == [shape]
        assert form["bbox"] == [0.1, 1 / 3, 2.1, 3.3]
        assert form["area"] == 1 / 7

    @pytest.mark.parametrize("compress", [False, True])
    def test_run_lengths_as_list_and_as_text(self, tmp_path: Path, compress: bool) -> None:
        counts = [22, 3, 17, 3, 555]
        text = masks.from_counts(counts, 20, 30)["counts"].decode()
        form = record(segmentation={"size": [20, 30], "counts": text if compress else counts}, iscrowd=1)
        del form["bbox"], form["area"]
        one = only(read(tmp_path, document([form])))
        assert isinstance(one, Mask)
        assert one.attributes == {"is_crowd": True}
        assert masks.counts_of(one.rle).tolist() == counts
        assert one.get_area() == 6
        assert list(one.get_bbox()) == [1, 2, 2, 3]  # from the first to the last pixel, both included

    def test_the_box_of_a_mask_is_computed_if_there_is_none(self, tmp_path: Path) -> None:
        form = record(segmentation={"size": [20, 30], "counts": [22, 3, 17, 3, 555]})
        del form["bbox"], form["area"]
        (out,) = written(read(tmp_path, document([form])), tmp_path)["annotations"]
        assert (out["bbox"], out["area"]) == ([1, 2, 2, 3], 6)

    def test_a_mask_of_another_size_than_its_image(self, tmp_path: Path) -> None:
        form = record(segmentation={"size": [4, 5], "counts": [1, 19]})
        dataset = read(tmp_path, document([form]))
        assert only(dataset).image.shape == (4, 5)
        (out,) = written(dataset, tmp_path)["annotations"]
        assert out["segmentation"] == {"size": [4, 5], "counts": [1, 19]}

    def test_a_flat_list_is_one_polygon(self, tmp_path: Path) -> None:
        shape = [1, 2, 11, 2, 11, 12, 1, 12]
        assert only(read(tmp_path, document([record(segmentation=shape)]))).points == shape

    @pytest.mark.parametrize("shape", [[], [[]], None])
    def test_no_segmentation_is_a_box(self, tmp_path: Path, shape: Any) -> None:
        one = only(read(tmp_path, document([record(segmentation=shape)])))
        assert isinstance(one, Bbox)
        assert list(one.get_bbox()) == BOX

    def test_an_empty_list_of_attributes_is_no_attribute(self, tmp_path: Path) -> None:
        assert only(read(tmp_path, document([record(attributes=[])]))).attributes == {"is_crowd": False}

    def test_crowd_as_a_boolean(self, tmp_path: Path) -> None:
        records = [record(id=1, iscrowd=True), record(id=2, iscrowd=False)]
        dataset = read(tmp_path, document(records))
        assert [one.attributes["is_crowd"] for one in of(dataset)] == [True, False]

    def test_a_box_that_does_not_contain_its_polygon_is_kept(self, tmp_path: Path) -> None:
        (form,) = written(read(tmp_path, document([record(bbox=[4, 4, 2, 2])])), tmp_path)["annotations"]
        assert form["bbox"] == [4, 4, 2, 2]

    def test_keypoints_keep_order_and_visibility(self, tmp_path: Path) -> None:
        points = [3, 4, 2, 0, 0, 0, 9.5, 7, 1]
        categories = [{"id": 3, "name": "dog", "keypoints": ["nose", "tail", "paw"], "skeleton": [[1, 3]]}]
        form = document([record(keypoints=points, num_keypoints=2)], categories=categories)
        dataset = Dataset.import_from(folder(tmp_path / "in", form, "person_keypoints_train"), "coco")
        found = [one for one in of(dataset) if isinstance(one, Points)]
        assert [int(state) for state in found[0].visibility] == [2, 0, 1]
        out = written(dataset, tmp_path, "person_keypoints_train")
        assert out["annotations"][0]["keypoints"] == points
        assert out["annotations"][0]["num_keypoints"] == 2
        assert out["annotations"][0]["segmentation"] == [TRIANGLE]
        assert out["categories"][0]["skeleton"] == [[1, 3]]


WRONG: list[tuple[str, Record, str]] = [
    ("segmentation", {"segmentation": [[1, 2, 3, 4]]}, "a polygon has 4 coordinates"),
    ("segmentation", {"segmentation": [1, 2, 3, 4]}, "a polygon has 4 coordinates"),
    ("segmentation", {"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "a polygon has 7 coordinates"),
    ("segmentation", {"segmentation": [TRIANGLE, [1, 2]]}, "a polygon has 2 coordinates"),
    ("segmentation", {"segmentation": "7"}, "7 is not run lengths"),
    ("segmentation", {"segmentation": {"counts": [1, 2]}}, "is not run lengths with"),
    ("segmentation", {"segmentation": {"size": [20, 30], "counts": [1, 2]}}, "must add up to 600"),
    ("segmentation", {"segmentation": {"size": [20, 30], "counts": "11"}}, "a mask of 20 x 30 pixels has"),
    ("segmentation", {"segmentation": {"size": [20, 30], "counts": [-1, 601]}}, "run length of -1"),
    ("segmentation", {"segmentation": [[1, 2, 3, 4, 5, float("nan")]]}, "a coordinate is not finite"),
    ("bbox", {"bbox": [1, 2, 3]}, "it has 3 numbers, not 4"),
    ("bbox", {"bbox": [1, 2, -3, 4]}, "has a negative size"),
    ("bbox", {"bbox": [1, 2, float("inf"), 4]}, "is not finite"),
    ("bbox", {"bbox": "1,2,3,4"}, "is not a list of numbers"),
    ("area", {"area": "big"}, '"big" is not a number'),
    ("score", {"score": float("nan")}, "it is not finite"),
    ("area", {"area": float("inf")}, "it is not finite"),
    ("attributes", {"attributes": "big"}, "it is not an object"),
    ("attributes", {"attributes": [1]}, "it is not an object"),
    ("keypoints", {"keypoints": [1, float("nan"), 2]}, "a number is not finite"),
    ("id", {"id": "\ud800"}, "is not an integer"),
    ("score", {"score": "0.9"}, '"0.9" is not a number'),
    ("iscrowd", {"iscrowd": "no"}, '"no" is not 0 or 1'),
    ("keypoints", {"keypoints": [1, 2, 3]}, "the visibility of a point is not 0, 1 or 2"),
    ("keypoints", {"keypoints": [1, 2, 0.5]}, "the visibility of a point is not 0, 1 or 2"),
    ("keypoints", {"keypoints": [1, 2]}, "it has 2 numbers, not three for each point"),
    ("image_id", {"image_id": 8}, "there is no image 8"),
    ("image_id", {"image_id": "z"}, 'there is no image "z"'),
    ("image_id", {"image_id": None}, "it is missing"),
    ("image_id", {"image_id": [7]}, r"\[7\] is not an integer"),
    ("category_id", {"category_id": 2}, "there is no category 2"),
    ("category_id", {"category_id": 2.5}, "2.5 is not an integer"),
    ("id", {"id": True}, "true is not an integer"),
]


class TestProblems:
    @pytest.mark.parametrize(("field", "members", "message"), WRONG, ids=lambda value: str(value)[:40])
    def test_file_record_and_field_are_named(
        self, tmp_path: Path, field: str, members: Record, message: str
    ) -> None:
        form = document([record(id=1), record(id=2, **members) if "id" not in members else record(**members)])
        with pytest.raises(FormatError, match=message) as caught:
            read(tmp_path, form)
        path = tmp_path / "in/annotations/instances_train.json"
        assert str(caught.value).startswith(f"{path}, record 1 of annotations, field {field!r}: ")

    @pytest.mark.parametrize(("field", "members", "message"), WRONG, ids=lambda value: str(value)[:40])
    def test_it_is_left_out_if_asked(self, tmp_path: Path, field: str, members: Record, message: str) -> None:
        found: list[Problem] = []
        wrong = {**record(id=2), **members}
        dataset = read(tmp_path, document([record(id=1), wrong, record(id=3)]), on_error=found.append)
        assert [one.id for one in of(dataset)] == [1, 3]
        assert [(one.place, one.field) for one in found] == [("record 1 of annotations", field)]

    @pytest.mark.parametrize("image", [{"id": 7}, {"file_name": "a.jpg"}, {"id": 1.5, "file_name": "a.jpg"}])
    def test_an_image_that_makes_no_sense(self, tmp_path: Path, image: Record) -> None:
        form = document([], images=[{"id": 9, "file_name": "b.jpg"}, image])
        with pytest.raises(FormatError, match=r"instances_train\.json, record 1 of images: it needs an id"):
            read(tmp_path, form)
        assert len(read(tmp_path, form, on_error="skip")) == 1


class TestDocuments:
    def test_null_and_missing_members(self, tmp_path: Path) -> None:
        form = document([record()], info=None, licenses=None)
        assert only(read(tmp_path, form)).label == 1
        del form["licenses"], form["info"], form["annotations"]
        assert [item.annotations for item in read(tmp_path, form)] == [[], []]
        assert [item.id for item in read(tmp_path, {**form, "annotations": None})] == ["a", "b"]
        assert len(labels(read(tmp_path, {**form, "categories": None}))) == 0
        assert len(read(tmp_path, {"info": {}, "images": []})) == 0

    def test_members_of_records_may_be_missing(self, tmp_path: Path) -> None:
        one = only(read(tmp_path, document([{"image_id": 7, "segmentation": [TRIANGLE]}])))
        assert isinstance(one, Polygon)
        assert (one.label, one.id, one.attributes) == (None, 0, {})
        assert list(one.get_bbox()) == [1, 2, 10, 10]

    def test_a_dataset_without_items(self, tmp_path: Path) -> None:
        form = written(Dataset.from_iterable([], categories=["cat"]), tmp_path, "instances_default")
        assert (form["images"], form["annotations"], len(form["categories"])) == ([], [], 1)

    def test_one_file_of_a_dataset_has_its_images(self, tmp_path: Path) -> None:
        root = folder(tmp_path / "in", document([record()]))
        folder(root, document([], images=[{"id": 1, "file_name": "other.jpg"}]), "instances_val")
        (root / "images/train").mkdir(parents=True)
        (root / "images/train/a.jpg").write_bytes(encode(np.zeros((20, 30, 3), np.uint8), ".jpg"))
        for format in ("coco", "coco_instances", "coco_stuff"):
            dataset = Dataset.import_from(root / "annotations/instances_train.json", format)
            assert [item.id for item in dataset] == ["a", "b"]
            item = dataset.get("a", "train")
            assert item is not None
            assert item.image is not None
            assert item.image.data.shape == (20, 30, 3)

    def test_annotations_before_images(self, tmp_path: Path) -> None:
        form = document([record()])
        assert only(read(tmp_path, dict(reversed(form.items())))).label == 1

    @pytest.mark.parametrize("options", [{}, {"on_error": "skip"}])
    def test_broken_json_names_line_and_column(self, tmp_path: Path, options: Record) -> None:
        text = '{"images": [\n  {"id": 1, "file_name": "a.jpg"},\n]}'
        with pytest.raises(JSONFormatError, match=r"instances_train\.json.*line 3, column 1"):
            read(tmp_path, text, **options)

    def test_a_truncated_file(self, tmp_path: Path) -> None:
        with pytest.raises(JSONFormatError, match=r"instances_train\.json.*line 1"):
            read(tmp_path, json.dumps(document([record()]))[:-30])

    def test_other_json_files_are_no_datasets(self, tmp_path: Path) -> None:
        for text in ("{}", "[]", "", '{"a": 1}'):
            with pytest.raises(FormatError, match="has no annotation files of coco"):
                read(tmp_path, text)


def dataset_of(*annotations: Annotation, size: tuple[int, int] = (20, 30), **members: Any) -> Dataset:
    """One item with some annotations and an image."""
    image = np.zeros((*size, 3), np.uint8)
    item = DatasetItem("a", subset="train", annotations=list(annotations), image=image, **members)
    return Dataset.from_iterable([item], categories=["cat", "dog"])


def pixels_of(segmentation: Any, size: tuple[int, int] = (20, 30)) -> np.ndarray[Any, Any]:
    """What pycocotools makes of a segmentation."""
    rle = pycocotools.frPyObjects(segmentation, *size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of numpy 2, in some versions of pycocotools
        return np.asarray(pycocotools.decode(pycocotools.merge(rle) if isinstance(rle, list) else rle), bool)


def square(left: int, top: int, side: int) -> np.ndarray[Any, Any]:
    """A mask of 20 x 30 pixels."""
    mask = np.zeros((20, 30), bool)
    mask[top : top + side, left : left + side] = True
    return mask


OTHER = [20.0, 3.0, 25.0, 3.0, 20.0, 9.0]


class TestGroups:
    def test_a_box_and_a_polygon_are_one_record(self, tmp_path: Path) -> None:
        polygon = Polygon(TRIANGLE, label=1, id=8, group=8, attributes={"k": 1})
        box = Bbox(0, 1, 13.25, 14, label=1, id=8, group=8)
        for pair in ([polygon, box], [box, polygon]):
            (form,) = written(dataset_of(*pair), tmp_path)["annotations"]
            assert form == {
                "id": 8, "image_id": 1, "category_id": 2, "segmentation": [TRIANGLE], "area": 50.0,
                "bbox": [0.0, 1.0, 13.25, 14.0], "iscrowd": 0, "attributes": {"k": 1},
            }  # fmt: skip

    def test_polygons_are_parts(self, tmp_path: Path) -> None:
        parts = [Polygon(shape, label=0, group=3) for shape in (TRIANGLE, OTHER)]
        (form,) = written(dataset_of(*parts), tmp_path)["annotations"]
        assert form["segmentation"] == [TRIANGLE, OTHER]
        assert form["bbox"] == [1, 2, 24, 10]
        assert form["area"] == 65

    def test_masks_are_united(self, tmp_path: Path) -> None:
        first, second = square(2, 3, 5), square(5, 5, 6)
        shapes = [Mask(first, label=0, group=1), Mask(second, label=0, group=1)]
        (form,) = written(dataset_of(*shapes), tmp_path)["annotations"]
        assert np.array_equal(pixels_of(form["segmentation"]), first | second)
        assert form["area"] == (first | second).sum()
        assert form["bbox"] == [2, 3, 9, 8]

    def test_a_mask_and_a_polygon_are_one_mask(self, tmp_path: Path) -> None:
        shapes = [Polygon(TRIANGLE, label=0, group=1), Mask(square(20, 5, 6), label=0, group=1)]
        (form,) = written(dataset_of(*shapes), tmp_path)["annotations"]
        assert np.array_equal(pixels_of(form["segmentation"]), pixels_of([TRIANGLE]) | square(20, 5, 6))

    def test_other_labels_and_no_group_stay_apart(self, tmp_path: Path) -> None:
        shapes = [
            Polygon(TRIANGLE, label=0, group=1),
            Polygon(OTHER, label=1, group=1),
            Polygon(TRIANGLE, label=0),
            Polygon(OTHER, label=0),
            Bbox(1, 2, 3, 4, label=0, group=2),
            Bbox(7, 2, 3, 4, label=0, group=2),
        ]
        form = written(dataset_of(*shapes), tmp_path)
        assert [one["segmentation"] for one in form["annotations"]] == [
            [TRIANGLE],
            [OTHER],
            [TRIANGLE],
            [OTHER],
            [],
        ]
        assert form["annotations"][4]["bbox"] == [1, 2, 9, 4]

    def test_points_get_the_shape_of_their_group(self, tmp_path: Path) -> None:
        shapes = [
            Points([3, 4, 5, 6], label=0, group=1),
            Bbox(0, 0, 9, 9, label=0, group=1, id=4),
            Polygon(TRIANGLE, label=0, group=1, id=4),
            Points([1, 1, 2, 2], label=0),
        ]
        dataset = dataset_of(*shapes)
        people = written(dataset, tmp_path, "person_keypoints_train")["annotations"]
        assert [one["segmentation"] for one in people if "segmentation" in one] == [[TRIANGLE], []]
        (form,) = written(dataset, tmp_path)["annotations"]
        assert form["id"] == people[0]["id"] != people[1]["id"]


class TestScores:
    def test_scores_and_the_attribute_are_members(self, tmp_path: Path) -> None:
        dataset = dataset_of(
            Bbox(1, 2, 3, 4, label=0, score=0.5),
            Bbox(1, 2, 3, 5, label=0, attributes={"score": 0.25, "k": 1}),
            Bbox(1, 2, 3, 6, label=0, attributes={"score": 1}),
            Bbox(1, 2, 3, 7, label=0, attributes={"score": "high"}),
        )
        forms = written(dataset, tmp_path)["annotations"]
        assert [one.get("score") for one in forms] == [0.5, 0.25, 1, None]
        assert [one.get("attributes") for one in forms] == [None, {"k": 1}, None, {"score": "high"}]
        found = of(Dataset.import_from(tmp_path / "out", "coco"))
        assert [one.score for one in found] == [0.5, 0.25, 1, None]


class TestModes:
    def test_guess_keeps_shapes_and_makes_masks_of_crowds(self, tmp_path: Path) -> None:
        shapes = [
            Polygon(TRIANGLE, label=0, attributes={"is_crowd": True}),
            Polygon(TRIANGLE, label=0, attributes={"is_crowd": False}),
            Mask(square(2, 3, 5), label=0),
        ]
        forms = written(dataset_of(*shapes), tmp_path)["annotations"]
        assert [one["iscrowd"] for one in forms] == [1, 0, 0]
        assert np.array_equal(pixels_of(forms[0]["segmentation"]), pixels_of([TRIANGLE]))
        assert forms[1]["segmentation"] == [TRIANGLE]
        assert forms[2]["segmentation"]["size"] == [20, 30]

    def test_mask_is_what_pycocotools_draws(self, tmp_path: Path) -> None:
        shape = [1.2, 2.7, 14.9, 3.3, 12.1, 17.6, 3.4, 11.8]
        dataset = dataset_of(Polygon(shape, label=0), Bbox(1, 2, 3, 4, label=0))
        forms = written(dataset, tmp_path, segmentation_mode="mask")["annotations"]
        expected = pycocotools.merge(pycocotools.frPyObjects([shape], 20, 30))
        assert pycocotools.frPyObjects(forms[0]["segmentation"], 20, 30) == expected
        assert forms[1]["segmentation"] == []

    def test_polygons_give_the_same_pixels_with_holes_and_parts(self, tmp_path: Path) -> None:
        pixels = square(3, 2, 14)
        pixels[5:8, 6:9] = False
        pixels[10:12, 6:12] = False
        pixels |= square(22, 4, 3)
        dataset = dataset_of(Mask(pixels, label=0, attributes={"is_crowd": True}))
        (form,) = written(dataset, tmp_path, segmentation_mode="polygons")["annotations"]
        assert len(form["segmentation"]) == 2
        assert np.array_equal(pixels_of(form["segmentation"]), pixels)

    def test_the_size_of_an_image_is_read_where_a_mask_needs_it(self, tmp_path: Path) -> None:
        form = document([record(iscrowd=1)], images=[{"id": 7, "file_name": "a.png"}])
        root = folder(tmp_path / "in", form)
        (root / "images").mkdir()
        (root / "images/a.png").write_bytes(encode(np.zeros((20, 30, 3), np.uint8), ".png"))
        out = written(Dataset.import_from(root, "coco"), tmp_path)
        assert (out["images"][0]["height"], out["images"][0]["width"]) == (20, 30)
        assert np.array_equal(pixels_of(out["annotations"][0]["segmentation"]), pixels_of([TRIANGLE]))

    def test_polygons_stay_where_no_size_is_known(self, tmp_path: Path) -> None:
        form = document([record(iscrowd=1)], images=[{"id": 7, "file_name": "a.png"}])
        (out,) = written(read(tmp_path, form), tmp_path, segmentation_mode="mask")["annotations"]
        assert (out["segmentation"], out["iscrowd"]) == ([TRIANGLE], 1)


class TestCropCovered:
    def test_what_is_above_is_cut_off(self, tmp_path: Path) -> None:
        low, high = square(2, 3, 10), square(8, 6, 12)
        shapes = [Mask(high, label=0, z_order=1), Mask(low, label=1, z_order=0)]
        forms = written(dataset_of(*shapes), tmp_path, crop_covered=True)["annotations"]
        assert np.array_equal(pixels_of(forms[0]["segmentation"]), high)
        assert np.array_equal(pixels_of(forms[1]["segmentation"]), low & ~high)
        assert forms[1]["area"] == (low & ~high).sum()

    def test_polygons_stay_polygons(self, tmp_path: Path) -> None:
        shapes = [[2, 2, 12, 2, 12, 12, 2, 12], [8, 6, 20, 6, 20, 18, 8, 18], [24, 1, 28, 1, 28, 5]]
        dataset = dataset_of(*(Polygon(shape, label=0) for shape in shapes))
        forms = written(dataset, tmp_path, crop_covered=True)["annotations"]
        low, high = (pixels_of([shape]) for shape in shapes[:2])
        assert isinstance(forms[0]["segmentation"], list)
        assert np.array_equal(pixels_of(forms[0]["segmentation"]), low & ~high)
        assert [one["segmentation"] for one in forms[1:]] == [[shape] for shape in shapes[1:]]

    def test_shapes_inside_others_and_covered_ones_stay(self, tmp_path: Path) -> None:
        large, small = square(2, 2, 15), square(5, 5, 4)
        for pair in ((large, small), (small, large)):
            dataset = dataset_of(*(Mask(one, label=0) for one in pair))
            forms = written(dataset, tmp_path, crop_covered=True)["annotations"]
            assert all(
                np.array_equal(pixels_of(form["segmentation"]), one)
                for form, one in zip(forms, pair, strict=True)
            )


class TestImageInfo(FormatTests):
    format = "coco_image_info"


class TestInstances(FormatTests):
    format = "coco_instances"


class TestPersonKeypoints(FormatTests):
    format = "coco_person_keypoints"

    def annotations(self, number: int) -> list[Annotation]:
        return [Points([5, 6, 7.5, 8], [2, 1], label=number % 4)]


class TestCaptions(FormatTests):
    format = "coco_captions"


class TestLabels(FormatTests):
    format = "coco_labels"


class TestStuff(FormatTests):
    format = "coco_stuff"

    def annotations(self, number: int) -> list[Annotation]:
        return [Mask(square(3, 4, 9), label=number % 4), Bbox(1, 2, 3, 4, label=0)]

    def test_polygons_are_written_as_masks(self, tmp_path: Path) -> None:
        dataset_of(Polygon(TRIANGLE, label=1)).export(tmp_path / "out", "coco_stuff")
        one = only(Dataset.import_from(tmp_path / "out", "coco_stuff"))
        assert np.array_equal(one.image, pixels_of([TRIANGLE]))


class TestPanoptic(FormatTests):
    format = "coco_panoptic"

    def annotations(self, number: int) -> list[Annotation]:
        full = np.zeros((60, 80), bool)
        full[5:50, 3:70] = True
        hole = np.zeros((60, 80), bool)
        hole[10:20, 10:20] = True
        return [Mask(full & ~hole, label=number % 4), Mask(hole, label=0, attributes={"is_crowd": True})]

    def export(self, tmp_path: Path, *shapes: Annotation) -> tuple[Record, np.ndarray[Any, Any]]:
        """What an export writes, and the numbers in its image."""
        dataset_of(*shapes).export(tmp_path / "out", "coco_panoptic")
        form: Record = json.loads((tmp_path / "out/annotations/panoptic_train.json").read_text())
        picture = decode(str(tmp_path / "out/annotations/panoptic_train/a.png"), "a.png").astype(int)
        return form, picture[:, :, 2] + 256 * picture[:, :, 1] + 65536 * picture[:, :, 0]

    def test_numbers_and_records(self, tmp_path: Path) -> None:
        first, second = square(2, 3, 5), square(10, 3, 6)
        attributes = {"is_crowd": True, "k": 1}
        form, ids = self.export(
            tmp_path, Mask(first, label=1, id=70_000), Mask(second, label=0, id=3, attributes=attributes)
        )
        assert np.array_equal(ids, first * 70_000 + second * 3)
        (annotation,) = form["annotations"]
        assert (annotation["image_id"], annotation["file_name"]) == (1, "a.png")
        assert annotation["segments_info"] == [
            {"id": 70_000, "category_id": 2, "area": 25, "bbox": [2, 3, 5, 5], "iscrowd": 0},
            {
                "id": 3,
                "category_id": 1,
                "area": 36,
                "bbox": [10, 3, 6, 6],
                "iscrowd": 1,
                "attributes": {"k": 1},
            },
        ]

    def test_the_uppermost_has_the_pixel(self, tmp_path: Path) -> None:
        low, high = square(2, 3, 10), square(8, 6, 12)
        form, ids = self.export(tmp_path, Mask(high, label=1, z_order=2), Mask(low, label=0, z_order=1))
        infos = form["annotations"][0]["segments_info"]
        assert [one["area"] for one in infos] == [144, (low & ~high).sum()]
        assert np.array_equal(ids == infos[0]["id"], high)
        assert np.array_equal(ids == infos[1]["id"], low & ~high)

    def test_hidden_segments_are_counted(self, tmp_path: Path) -> None:
        dataset = dataset_of(Mask(square(4, 4, 3), label=0), Mask(square(2, 2, 9), label=1))
        report = dataset.export(tmp_path / "out", "coco_panoptic")
        assert "1 segments are not in panoptic images" in report.notes[0]

    def test_the_example_of_the_documentation(self, tmp_path: Path) -> None:
        item = DatasetItem(
            id="image",
            subset="train",
            image=np.ones((1, 5, 3)),
            attributes={"id": 40},
            annotations=[
                Mask(
                    image=np.array([[0, 0, 1, 1, 0]]), label=3, id=7, group=7, attributes={"is_crowd": False}
                ),
                Mask(
                    image=np.array([[0, 1, 0, 0, 1]]), label=1, id=20, group=20, attributes={"is_crowd": True}
                ),
            ],
        )
        Dataset.from_iterable([item], categories=["a", "b", "c", "d"]).export(
            tmp_path / "out", format="coco_panoptic"
        )
        found = Dataset.import_from(tmp_path / "out", "coco_panoptic").get("image", "train")
        assert found is not None
        assert found.attributes["id"] == 40
        assert [(one.id, one.attributes["is_crowd"]) for one in found.annotations] == [(7, False), (20, True)]
        assert np.array_equal(found.annotations[1].image, [[0, 1, 0, 0, 1]])

    def panoptic(self, tmp_path: Path, infos: Any, name: str = "a.png") -> Path:
        """A dataset of one image, in which segment 300 is a square."""
        annotations = [{"image_id": 7, "file_name": name, "segments_info": infos}]
        root = folder(tmp_path / "in", document(annotations), "panoptic_train")
        picture = np.zeros((20, 30, 3), np.uint8)
        picture[square(2, 3, 5)] = (0, 1, 44)  # blue, green, red
        (root / "annotations/panoptic_train").mkdir()
        (root / "annotations/panoptic_train/a.png").write_bytes(encode(picture, ".png"))
        return root

    def test_a_file_as_others_write_it(self, tmp_path: Path) -> None:
        root = self.panoptic(
            tmp_path, [{"id": 300, "category_id": 3, "iscrowd": 0, "bbox": [2, 3, 5, 5], "area": 25}]
        )
        one = only(Dataset.import_from(root, "coco"))
        assert (one.id, one.label, one.attributes) == (300, 1, {"is_crowd": False})
        assert np.array_equal(one.image, square(2, 3, 5))

    @pytest.mark.parametrize(
        ("infos", "name", "field", "message"),
        [
            ([{"id": 4, "category_id": 3}], "a.png", "segments_info", "segment 4 has no pixel in"),
            ([{"category_id": 3}], "a.png", "segments_info", "each segment needs an id"),
            ([{"id": 300, "bbox": [1]}], "a.png", "segments_info", "bbox of segment 300"),
            ([{"id": 300, "category_id": 8}], "a.png", "category_id", "there is no category 8"),
            ([], "gone.png", "file_name", "gone.png"),
            ([], "../../../a.png", "file_name", "leaves the folder"),
            ([], None, "file_name", "it is missing"),
        ],
    )
    def test_what_makes_no_sense(
        self, tmp_path: Path, infos: Any, name: Any, field: str, message: str
    ) -> None:
        root = self.panoptic(tmp_path, infos, name)
        with pytest.raises(FormatError, match=message) as caught:
            Dataset.import_from(root, "coco_panoptic")
        assert f"panoptic_train.json, record 0 of annotations, field {field!r}: " in str(caught.value)
        assert of(Dataset.import_from(root, "coco_panoptic", on_error="skip")) == []

    def test_pixels_of_unknown_segments_are_noted(self, tmp_path: Path) -> None:
        dataset = Dataset.import_from(self.panoptic(tmp_path, []), "coco_panoptic")
        assert "1 segments of images are not in segments_info" in dataset.report.notes[0]


class TestMembersOfImages:
    IMAGE: ClassVar[Record] = {
        "id": 7, "file_name": "a.jpg", "height": 20, "width": 30, "license": 3, "flickr_url": "",
        "coco_url": "http://x/train2017/a.jpg", "date_captured": "2013-11-14", "rights": {"by": "é"},
    }  # fmt: skip

    def test_they_are_noted(self, tmp_path: Path) -> None:
        dataset = read(tmp_path, document([], images=[self.IMAGE]))
        assert dataset.report.notes == [
            "Members of images that were left out: coco_url (1), license (1), date_captured (1), rights (1)."
            " Pass extra=True (--extra) to keep them as attributes"
        ]
        assert next(iter(dataset)).attributes == {"id": 7}

    def test_empty_ones_are_not(self, tmp_path: Path) -> None:
        dataset_of(Bbox(1, 2, 3, 4, label=0)).export(tmp_path / "out", "coco")
        assert Dataset.import_from(tmp_path / "out", "coco").report.notes == []

    def test_extra_keeps_and_writes_them(self, tmp_path: Path) -> None:
        dataset = read(tmp_path, document([], images=[self.IMAGE]), extra=True)
        kept = {name: self.IMAGE[name] for name in self.IMAGE if name not in ("file_name", "height", "width")}
        assert next(iter(dataset)).attributes == kept
        (form,) = written(dataset, tmp_path)["images"]
        rights = form.pop("attributes")
        assert rights == {"rights": {"by": "é"}}
        assert {**form, **rights} == self.IMAGE
        again = Dataset.import_from(tmp_path / "out", "coco", extra=True)
        assert next(iter(again)).attributes == kept

    def test_attributes_of_items_survive(self, tmp_path: Path) -> None:
        attributes = {"id": 7, "weather": "rain", "n": [1, 2], "width": "wide"}
        dataset_of(attributes=attributes).export(tmp_path / "out", "coco")
        assert next(iter(Dataset.import_from(tmp_path / "out", "coco"))).attributes == attributes

    def test_lvis(self, tmp_path: Path) -> None:
        image = {
            "id": 391895, "height": 20, "width": 30, "coco_url": "http://images.cocodataset.org/val2017/000000391895.jpg",
            "not_exhaustive_category_ids": [3], "neg_category_ids": [1, 9],
        }  # fmt: skip
        categories = [
            {
                "id": 3,
                "name": "dog",
                "synset": "dog.n.01",
                "frequency": "f",
                "image_count": 12,
                "def": "a dog",
            },
            {
                "id": 1,
                "name": "cat",
                "synset": "cat.n.01",
                "frequency": "r",
                "image_count": 1,
                "def": "a cat",
            },
        ]
        root = folder(
            tmp_path / "in",
            document([record(image_id=391895)], images=[image], categories=categories),
            "lvis_v1_val",
        )
        (root / "val2017").mkdir()
        (root / "val2017/000000391895.jpg").write_bytes(encode(np.zeros((20, 30, 3), np.uint8), ".jpg"))
        dataset = Dataset.import_from(root, "coco")
        (item,) = dataset
        assert (item.id, item.subset) == ("val2017/000000391895", "lvis_v1_val")
        assert item.image is not None
        assert item.image.data.shape == (20, 30, 3)
        assert item.attributes == {
            "id": 391895, "not_exhaustive_category_ids": [3], "neg_category_ids": [1, 9],
        }  # fmt: skip
        assert labels(dataset)[0].extra["frequency"] == "f"
        form = written(dataset, tmp_path, "instances_lvis_v1_val")
        assert form["categories"] == [{**one, "supercategory": ""} for one in categories]
        assert form["images"][0]["neg_category_ids"] == [1, 9]


RESULTS: list[Record] = [
    {"image_id": 9, "category_id": 3, "bbox": [1.5, 2.0, 10.25, 4.0], "score": 0.875},
    {"image_id": 7, "category_id": 1, "bbox": [0.0, 0.0, 3.0, 4.0], "score": 0.25},
    {"image_id": 7, "category_id": 3, "bbox": [1.0, 1.0, 3.0, 4.0], "score": 0.5},
]


class TestResults(FormatTests):
    format = "coco_results"
    keeps_empty = False
    names = ("7", "9")

    def annotations(self, number: int) -> list[Annotation]:
        return [
            Bbox(1, 2, 3.5, 4, label=0, score=0.5),
            Mask(square(3, 4, 5), label=1, score=0.25),
            Points([1, 2, 3, 4], [2, 1], label=2, score=1.0),
            Caption("a picture", score=0.125),
        ]

    def dataset(self, names: Any = (), subsets: Any = ("default",)) -> Dataset:
        items = [
            DatasetItem(name, annotations=self.annotations(0), attributes={"id": int(name)})
            for name in names or self.names
        ]
        labels = LabelCategories()
        for number in (1, 2, 3):
            labels.add(str(number), id=number)
        return Dataset.from_iterable(items, categories={AnnotationType.label: labels})

    def test_images_are_copied(self, tmp_path: Path) -> None:
        pytest.skip("results have no images")

    def test_a_failed_export_leaves_nothing(self, tmp_path: Path) -> None:
        pytest.skip("results have no images")

    def test_items_without_annotations_stay(self, tmp_path: Path) -> None:
        pytest.skip("results say nothing about images without any")

    def file(self, root: Path, form: Any = RESULTS) -> Path:
        """A file of results."""
        path = root / "detections.json"
        path.write_text(form if isinstance(form, str) else json.dumps(form))
        return path

    def test_items_and_labels_by_id(self, tmp_path: Path) -> None:
        dataset = Dataset.import_from(self.file(tmp_path))
        assert dataset.format == "coco_results"
        assert [(item.id, item.attributes) for item in dataset] == [("9", {"id": 9}), ("7", {"id": 7})]
        assert [(one.name, one.id) for one in labels(dataset)] == [("1", 1), ("3", 3)]
        item = dataset.get("7")
        assert item is not None
        assert [(one.score, one.source, getattr(one, "label", None)) for one in item.annotations] == [
            (0.25, "detections", 0), (0.5, "detections", 1),
        ]  # fmt: skip

    def test_with_the_truth_they_have_its_items_and_labels(self, tmp_path: Path) -> None:
        folder(tmp_path / "truth", document([record()]))
        truth = tmp_path / "truth/annotations/instances_train.json"
        dataset = Dataset.import_from(self.file(tmp_path), truth=str(truth))
        assert [(item.id, item.subset, len(item.annotations)) for item in dataset] == [
            ("a", "train", 2),
            ("b", "train", 1),
        ]
        assert [one.name for one in labels(dataset)] == ["cat", "dog"]
        assert only(dataset, "b").get_bbox() == [1.5, 2.0, 10.25, 4.0]

    def test_scores_of_points_are_their_visibility(self, tmp_path: Path) -> None:
        form = {"image_id": 7, "category_id": 1, "keypoints": [1, 2, 0.875, 3, 4, -1, 5, 6, 1], "score": 0.5}
        (item,) = Dataset.import_from(self.file(tmp_path, [form]))
        (points,) = item.annotations
        assert isinstance(points, Points)
        assert [int(state) for state in points.visibility] == [2, 0, 1]

    def test_they_are_no_dataset_of_coco(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="has results only; read them with the format 'coco_results'"):
            Dataset.import_from(self.file(tmp_path), "coco")
        with pytest.raises(FormatError, match="has no results"):
            Dataset.import_from(folder(tmp_path / "in", document([])), "coco_results")

    def test_results_beside_annotations_are_not_annotations(self, tmp_path: Path) -> None:
        root = folder(tmp_path / "in", document([record()]))
        self.file(root)
        dataset = Dataset.import_from(root)
        assert (dataset.format, len(dataset)) == ("coco", 2)

    def test_what_makes_no_sense(self, tmp_path: Path) -> None:
        path = self.file(tmp_path, [RESULTS[0], {**RESULTS[1], "bbox": [1, 2]}])
        with pytest.raises(FormatError, match=r"detections\.json, record 1, field 'bbox': it has 2 numbers"):
            Dataset.import_from(path)
        assert len(Dataset.import_from(path, on_error="skip")) == 1


class TestEvaluation:
    """pycocotools finds the same before and after a round trip."""

    def truth(self) -> Record:
        rng = np.random.default_rng(5)
        images = [
            {"id": number, "file_name": f"{number}.jpg", "height": 200, "width": 300}
            for number in range(1, 9)
        ]
        records = []
        for number in range(60):
            x, y, w, h = (*rng.uniform(0, 150, 2), *rng.uniform(5, 120, 2))
            shape = [x, y, x + w, y, x + w, y + h, x, y + h / 2]
            crowd = int(number % 13 == 0)
            rle = pycocotools.merge(pycocotools.frPyObjects([shape], 200, 300))
            counts = {"size": [200, 300], "counts": masks.counts_of(rle).tolist()}
            records.append({
                "id": number + 1, "image_id": int(rng.integers(1, 9)), "category_id": int(rng.choice([2, 5, 90])),
                "bbox": [x, y, w, h], "segmentation": counts if crowd else [shape],
                "area": float(pycocotools.area(rle)), "iscrowd": crowd,
            })  # fmt: skip
        categories = [{"id": number, "name": f"c{number}"} for number in (2, 5, 90)]
        return {"images": images, "annotations": records, "categories": categories}

    def found(self, truth: Record, kind: str) -> list[Record]:
        rng = np.random.default_rng(6)
        results = []
        for one in truth["annotations"]:
            box = (np.array(one["bbox"]) + rng.normal(0, 4, 4)).clip(1)
            form = {
                "image_id": one["image_id"],
                "category_id": one["category_id"],
                "score": float(rng.random()),
            }
            if kind == "bbox":
                form["bbox"] = box.tolist()
            else:
                x, y, w, h = box.tolist()
                rle = pycocotools.merge(
                    pycocotools.frPyObjects([[x, y, x + w, y, x + w, y + h, x, y + h / 2]], 200, 300)
                )
                form["segmentation"] = {"size": [200, 300], "counts": rle["counts"].decode()}
            results.append(form)
        return results

    def numbers(self, truth: Path, results: Path, kind: str) -> list[float]:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            known = COCO(str(truth))
            evaluation = COCOeval(known, known.loadRes(str(results)), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        stats: list[float] = evaluation.stats.tolist()
        return stats

    @pytest.mark.parametrize("kind", ["bbox", "segm"])
    def test_the_same_12_numbers(self, tmp_path: Path, kind: str) -> None:
        form = self.truth()
        folder(tmp_path / "in", form, "instances_val")
        truth = tmp_path / "in/annotations/instances_val.json"
        results = tmp_path / "results.json"
        results.write_text(json.dumps(self.found(form, kind)))
        before = self.numbers(truth, results, kind)
        Dataset.import_from(tmp_path / "in").export(tmp_path / "x.msgpack")
        Dataset.import_from(tmp_path / "x.msgpack").export(tmp_path / "out", "coco")
        Dataset.import_from(results, truth=str(truth)).export(tmp_path / "found", "coco_results")
        after = self.numbers(
            tmp_path / "out/annotations/instances_val.json", tmp_path / f"found/{kind}_val_results.json", kind
        )
        assert len(before) == 12
        assert 0.1 < before[0] < 0.9
        assert before == after


class TestTasks:
    def test_the_objects_of_a_subset_are_read_once(self, tmp_path: Path) -> None:
        dataset_of(Mask(square(2, 3, 5), label=0)).export(
            tmp_path / "out", "coco", tasks="instances,stuff,panoptic"
        )
        names = sorted(path.name for path in (tmp_path / "out/annotations").glob("*.json"))
        assert names == ["instances_train.json", "panoptic_train.json", "stuff_train.json"]
        dataset = Dataset.import_from(tmp_path / "out", "coco")
        assert isinstance(only(dataset), Mask)
        assert dataset.report.notes == [
            f"annotations/{task}_train.json was left out: other files have the objects of subset 'train'."
            f" Pass tasks={task!r} to read it"
            for task in ("panoptic", "stuff")
        ]
        assert isinstance(only(Dataset.import_from(tmp_path / "out", "coco", tasks=["panoptic"])), Mask)
        assert len(of(Dataset.import_from(tmp_path / "out", "coco", tasks="instances,stuff"))) == 2

    def test_objects_with_points_are_read_once(self, tmp_path: Path) -> None:
        shapes = [
            Points([3, 4, 5, 6], label=0, group=9),
            Bbox(0, 0, 9, 9, label=0, group=9),
            Bbox(1, 1, 2, 2, label=1),
        ]
        dataset_of(*shapes).export(tmp_path / "out", "coco")
        found = of(Dataset.import_from(tmp_path / "out", "coco"))
        assert sorted(one.type.name for one in found) == ["bbox", "bbox", "points"]

    def test_only_tasks_that_are_asked_for_count_as_places(self, tmp_path: Path) -> None:
        dataset = dataset_of(Bbox(1, 2, 3, 4, label=0), Caption("a"))
        assert dataset.export(tmp_path / "a", "coco").lost == {}
        assert dataset.export(tmp_path / "b", "coco", tasks="captions").lost == {"boxes": 1}
        assert dataset.export(tmp_path / "c", "coco_instances").lost == {"captions": 1}

    def test_unknown_tasks(self, tmp_path: Path) -> None:
        dataset = dataset_of(Bbox(1, 2, 3, 4, label=0))
        with pytest.raises(FormatOptionError, match="tasks is 'boxes'; it accepts image_info, instances"):
            dataset.export(tmp_path / "out", "coco", tasks="boxes")
        with pytest.raises(FormatOptionError, match="tasks is 'boxes'"):
            read(tmp_path, document([]), tasks="boxes")


ANYTHING = st.sampled_from([
    None, True, 0, 1, -1, 7, 2**63, -(2**63), 1.5, 1e300, float("nan"), "", "7", "x", "\ud800", "../x", [], [[]], [1],
    [1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [[1, 2, 3, 4, 5, 6], []], [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]], {},
    {"counts": [600], "size": [20, 30]}, {"counts": "PPYg0", "size": [20, 30]}, {"counts": "", "size": [0, 0]}, [None],
])  # fmt: skip


def altered(form: Record) -> st.SearchStrategy[Record]:
    """A record in which some fields have another value."""
    names = st.sampled_from([*form, "attributes", "score", "else"])
    return st.dictionaries(names, ANYTHING, max_size=2).map(lambda changes: {**form, **changes})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    image=altered({"id": 7, "file_name": "a.jpg", "height": 20, "width": 30, "neg_category_ids": [1]}),
    annotations=st.lists(
        altered(record(keypoints=[1, 2, 2], caption="x", segments_info=[{"id": 1}])), max_size=3
    ),
    category=altered({"id": 3, "name": "dog", "keypoints": ["a"], "skeleton": [[1, 1]]}),
    task=st.sampled_from(["instances", "person_keypoints", "captions", "panoptic"]),
    mode=st.sampled_from(["guess", "mask", "polygons"]),
)
def test_any_values_are_read_or_reported(
    tmp_path: Path, image: Record, annotations: list[Record], category: Record, task: str, mode: str
) -> None:
    form = document(annotations, images=[image, {"id": 9, "file_name": "b.jpg"}], categories=[category])
    with tempfile.TemporaryDirectory(dir=tmp_path) as name:
        root = folder(Path(name) / "in", form, f"{task}_train")
        with contextlib.suppress(FormatError):
            Dataset.import_from(root, "coco")
        before = Dataset.import_from(root, "coco", on_error="skip")
        before.export(Path(name) / "out", "coco", segmentation_mode=mode, crop_covered=True)
        before.export(Path(name) / "results", "coco_results")
        after = Dataset.import_from(Path(name) / "out", "coco")
        assert [item.id for item in after] == [item.id for item in before]
        assert all(one.id >= 0 for item in after for one in item.annotations)
