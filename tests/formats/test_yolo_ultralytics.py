"""Ultralytics' YOLO: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import pytest
from formats.yolo_sources import SIZE, lines, make
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfast.annotated import (
    Annotation,
    AnnotationType,
    Bbox,
    Dataset,
    DatasetItem,
    Image,
    Label,
    Mask,
    Points,
    PointsCategories,
    Polygon,
    Skeleton,
    masks,
)
from ddfast.errors import FormatError, MissingPackageError
from ddfast.formats.yolo.darknet_source import OPTIONS
from ddfast.formats.yolo.ultralytics_source import RESERVED as KEYS
from ddfast.formats.yolo.ultralytics_source import loaded
from ddfast.testing.formats import FormatTests

RESERVED = {*KEYS, *OPTIONS, "backup", "classes", "default"}

BOX = "0 0.5 0.5 0.25 0.5\n"
TRIANGLE = "1 0.25 0.25 0.75 0.25 0.5 0.75\n"

SOURCE = {
    "data.yaml": "train: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n",
    "images/train/a.png": SIZE,
    "labels/train/a.txt": BOX,
    "images/val/inner/a.png": SIZE,
    "labels/val/inner/a.txt": TRIANGLE,
}


class TestDetect(FormatTests):
    format = "yolo_ultralytics"

    @property
    def types(self) -> list[str]:
        return ["bbox"]


class TestSegment(TestDetect):
    @property
    def types(self) -> list[str]:
        return ["polygon"]


class TestPose(TestDetect):
    @property
    def types(self) -> list[str]:
        return ["points"]


class TestRotatedBoxes(TestDetect):
    def annotations(self, number: int) -> list[Annotation]:
        return [Bbox(20, 15, 20, 10, label=number % 4, rotation=30), Bbox(1, 2, 3, 4, label=1)]


class TestClassify(TestDetect):
    one_label: ClassVar[bool] = True
    names = ("cat/plain", "dog/with.dots.v2", "a person/inner/name", "Ärger/with space", "cat/日本語/ü")

    @property
    def types(self) -> list[str]:
        return ["label"]


def read(folder: Path, files: Mapping[str, Any], **options: Any) -> Dataset:
    return Dataset.import_from(make(folder, SOURCE | files), "yolo_ultralytics", **options)


def names(dataset: Dataset) -> list[str]:
    return [item.name for item in dataset.categories()[AnnotationType.label]]


def keys(dataset: Dataset) -> list[tuple[str, str]]:
    return sorted((item.subset, item.id) for item in dataset)


def only(dataset: Dataset, subset: str = "train", name: str = "a") -> list[Any]:
    item = dataset.get(name, subset)
    assert item is not None
    return item.annotations


def dataset_of(*annotations: Annotation, size: tuple[int, int] = (60, 80), categories: Any = None) -> Dataset:
    item = DatasetItem(
        "a", subset="train", annotations=list(annotations), media=Image(path="a.jpg", size=size)
    )
    return Dataset.from_iterable([item], categories=categories or ["cat", "dog"])


def written(folder: Path) -> list[list[float]]:
    return lines(folder / "labels/train/a.txt")


def test_folders_are_read_to_exact_values(tmp_path: Path) -> None:
    dataset = read(tmp_path, {})
    assert names(dataset) == ["cat", "dog"]
    assert keys(dataset) == [("train", "a"), ("val", "inner/a")]
    assert only(dataset) == [Bbox(30, 15, 20, 30, label=0)]
    assert only(dataset, "val", "inner/a") == [Polygon([20, 15, 60, 15, 40, 45], label=1)]


# -- data.yaml


@pytest.mark.parametrize(
    "text",
    [
        "path: .\ntrain: images/train\nval: images/val",
        "path: ../datasets/pets\ntrain: images/train\nval: images/val",
        "path: /home/someone/pets\ntrain: images/train\nval: images/val",
        "train: ../images/train\nval: ../images/val",
        "train: pets/images/train/\nval: ./images/val",
        "train: /home/someone/pets/images/train\nval: images\\val",
        "train: [images/train]\nval:\n- images/val",
        "train: [images/train/a.png]\nval: [images/val/inner/a.png]",
        "path: images\ntrain: train\nval: val",
        "train: a.txt\nval: lists/b.txt",
    ],
)
def test_images_are_found_by_all_forms_of_paths(tmp_path: Path, text: str) -> None:
    lists = {"a.txt": "./images/train/a.png\n", "lists/b.txt": "C:\\pets\\images\\val\\inner\\a.png\n"}
    dataset = read(tmp_path, {**lists, "data.yaml": f"{text}\nnc: 2\nnames: [cat, dog]\n"})
    assert keys(dataset) in ([("train", "a"), ("val", "inner/a")], [("train", "a"), ("val", "a")])
    assert [len(item.annotations) for item in dataset] == [1, 1]


def test_layout_of_roboflow_is_read(tmp_path: Path) -> None:
    dataset = Dataset.import_from(make(tmp_path, {
        "data.yaml": "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 1\nnames: ['cat']\n"
                     "\nroboflow:\n  workspace: x\n  version: 2\n",
        "train/images/a_jpg.rf.0123.jpg": SIZE,
        "train/labels/a_jpg.rf.0123.txt": BOX,
        "valid/images/a_jpg.rf.0456.jpg": SIZE,
        "valid/labels/a_jpg.rf.0456.txt": BOX,
    }))  # fmt: skip
    assert keys(dataset) == [("train", "a_jpg.rf.0123"), ("val", "a_jpg.rf.0456")]
    assert [len(item.annotations) for item in dataset] == [1, 1]
    assert "subset 'test' is not there" in dataset.report.notes[0]


def test_configuration_in_a_folder_of_its_own_is_read(tmp_path: Path) -> None:
    source = {"cfg/pets.yaml": "train: ../images/train\nval: ../images/val\nnames: [cat, dog]\n"}
    files = {name: content for name, content in SOURCE.items() if name != "data.yaml"} | source
    assert len(Dataset.import_from(make(tmp_path, files))) == 2


def test_missing_subset_names_file_and_field(tmp_path: Path) -> None:
    text = {"data.yaml": "train: nowhere\nval: images/val\nnames: [cat, dog]\n"}
    with pytest.raises(
        FormatError, match=r"data\.yaml, field 'train': there is no folder or list of images 'nowhere'"
    ):
        read(tmp_path, text)
    assert keys(read(tmp_path, text, on_error="skip")) == [("val", "inner/a")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("names: [cat, dog]", ["cat", "dog"]),
        ("names: {0: cat, 1: dog}", ["cat", "dog"]),
        ("names:\n  1: dog\n  0: cat", ["cat", "dog"]),
        ("names: [no, 1]", ["no", "1"]),
        ("nc: 2", ["class_0", "class_1"]),
        ('names: ["a: b", "ü"]', ["a: b", "ü"]),
    ],
)
def test_names_have_the_order_of_the_file(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert names(read(tmp_path, {"data.yaml": f"train: images/train\n{text}\n"})) == expected


def test_gaps_in_names_are_classes_that_do_not_exist(tmp_path: Path) -> None:
    text = {
        "data.yaml": "train: images/train\nnames: {0: cat, 7: dog}\n",
        "labels/train/a.txt": "7 0.5 0.5 1 1\n",
    }
    dataset = read(tmp_path, text)
    assert names(dataset) == ["cat", "dog"]
    assert only(dataset) == [Bbox(0, 0, 80, 60, label=1)]
    with pytest.raises(FormatError, match=r"a\.txt, line 1: there is no class 1; there are 2"):
        read(tmp_path, text | {"labels/train/a.txt": "1 0.5 0.5 1 1\n"})


def test_all_subsets_have_one_order_of_labels(tmp_path: Path) -> None:
    items = [
        DatasetItem(subset, subset=subset, annotations=[Bbox(0, 0, 8, 6, label=label)],
                    media=Image(path="a.jpg", size=(60, 80)))
        for label, subset in enumerate(["val", "my subset", "train", "yes"])
    ]  # fmt: skip
    Dataset.from_iterable(items, categories=["z", "no", "1", "a: b"]).export(
        tmp_path / "out", "yolo_ultralytics"
    )
    dataset = Dataset.import_from(tmp_path / "out")
    assert dataset.format == "yolo_ultralytics"
    assert names(dataset) == ["z", "no", "1", "a: b"]
    assert {item.subset: item.annotations[0].label for item in dataset} == {
        "val": 0, "my subset": 1, "train": 2, "yes": 3
    }  # fmt: skip


@pytest.mark.parametrize("subset", ["names", "path", "nc", "kpt_shape", "Task"])
def test_subset_that_means_something_else_is_refused(tmp_path: Path, subset: str) -> None:
    item = DatasetItem("a", subset=subset, media=Image(path="a.jpg", size=(60, 80)))
    with pytest.raises(FormatError, match=f"yolo_ultralytics cannot have a subset {subset!r}"):
        Dataset.from_iterable([item], categories=["cat"]).export(tmp_path / "out", "yolo_ultralytics")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: images/train\nnames: [a, b\nval: x", "line 3, column 4 is not YAML"),
        ("train: images/train\nnames: 5", "field 'names': it must be a list of names"),
        ("train: images/train\nnames: [[a]]", "field 'names': the name of class 0 is a list or map"),
        ("train: images/train\nnames: {x: a}", "field 'names': 'x' is not a number"),
        ("train: images/train\nnc: 2000000000", "field 'nc': '2000000000' is not a number from 0 to 999,999"),
        (
            "train: images/train\nnames: [a]\nkpt_shape: [17]",
            "field 'kpt_shape': it must be a list of the number of points, and 2 or 3",
        ),
        ("train: images/train\nnames: [a]\nkpt_shape: [0, 3]", "field 'kpt_shape': objects have no points"),
    ],
)
def test_faults_of_configuration_name_file_and_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=rf"data\.yaml.*{message}"):
        read(tmp_path, {"data.yaml": text})


def test_configuration_that_is_missing_or_not_unique_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no data\.yaml"):
        Dataset.import_from(tmp_path, "yolo_ultralytics")
    make(tmp_path, SOURCE | {"a.yaml": "names: [a]\ntrain: x", "b.yaml": "names: [a]\ntrain: x"})
    assert len(Dataset.import_from(tmp_path)) == 2
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(FormatError, match=r"several files with subsets \(a.yaml, b.yaml\): name one"):
        Dataset.import_from(tmp_path, "yolo_ultralytics")


def test_subset_of_any_other_name_alone_is_recognised(tmp_path: Path) -> None:
    item = DatasetItem("a", subset="train2017", annotations=[Bbox(0, 0, 8, 6, label=0)],
                       media=Image(path="a.jpg", size=(60, 80)))  # fmt: skip
    Dataset.from_iterable([item], categories=["cat"]).export(tmp_path / "out", "yolo_ultralytics")
    assert keys(Dataset.import_from(tmp_path / "out")) == [("train2017", "a")]


def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingPackageError, match=r"needs PyYAML: pip install 'ddfast\[annotated\]'"):
        read(tmp_path, {})


@pytest.mark.parametrize(
    "field", ["names: [*d]", "nc: *d", "kpt_shape: [*d, 3]\nnames: [a]", "kpt_shape: *d\nnames: [a]"]
)
def test_aliases_do_not_fill_the_memory(tmp_path: Path, field: str) -> None:
    levels = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"{name}: &{name} [{', '.join([f'*{before}'] * 1000)}]" for before, name in ("ab", "bc", "cd")]
    text = "\n".join([*levels, "train: images/train", field])
    with pytest.raises(FormatError, match=r"data\.yaml, field"):
        read(tmp_path, {"data.yaml": text})


def test_configuration_that_is_no_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"data\.yaml is not a map of names and subsets"):
        loaded("- a", tmp_path / "data.yaml")
    with pytest.raises(FormatError, match=r"data\.yaml is not YAML"):
        loaded("a: \x00", tmp_path / "data.yaml")


# -- images and label files


@pytest.mark.parametrize("name", ["测试.JPG", "a.bmp", "a.TIF", "a.webp", "a.rgb.jpg", "a.jpeg"])
def test_images_of_all_extensions_are_found(tmp_path: Path, name: str) -> None:
    stem = name.rpartition(".")[0]
    dataset = read(tmp_path, {f"images/train/{name}": SIZE, f"labels/train/{stem}.txt": BOX})
    assert only(dataset, "train", stem) == [Bbox(30, 15, 20, 30, label=0)]


def test_label_files_without_image_are_counted(tmp_path: Path) -> None:
    dataset = read(tmp_path, {"labels/train/b.txt": BOX, "labels/train/c.txt": BOX, "notes.txt": "mine"})
    assert len(dataset) == 2
    assert dataset.report.notes == ["2 label files belong to no image, such as labels/train/b.txt"]


def test_image_without_label_file_stays(tmp_path: Path) -> None:
    dataset = read(
        tmp_path, {"images/train/b.png": SIZE, "images/train/c.png": SIZE, "labels/train/c.txt": "\n"}
    )
    found = {item.id: (item.annotations, item.status) for item in dataset if item.id in "bc"}
    assert found == {"b": ([], None), "c": ([], "annotated")}


def test_names_in_two_unicode_forms_match(tmp_path: Path) -> None:
    dataset = read(tmp_path, {"images/train/u\u0308.png": SIZE, "labels/train/\u00fc.txt": BOX})
    assert [len(item.annotations) for item in dataset.get_subset("train")] == [1, 1]


def test_image_of_two_folders_called_images_has_its_labels_where_ultralytics_looks(tmp_path: Path) -> None:
    item = DatasetItem("a/images/b", subset="train", annotations=[Bbox(0, 0, 8, 6, label=0)],
                       image=np.zeros((60, 80, 3), np.uint8))  # fmt: skip
    Dataset.from_iterable([item], categories=["cat"]).export(
        tmp_path / "out", "yolo_ultralytics", save_media=True
    )
    assert (tmp_path / "out/images/train/a/labels/b.txt").exists()
    assert only(Dataset.import_from(tmp_path / "out"), name="a/images/b") == [Bbox(0, 0, 8, 6, label=0)]


def test_broken_image_names_the_label_file(tmp_path: Path) -> None:
    with pytest.raises(
        FormatError, match=r"labels/train/a\.txt: coordinates are relative to the size of the image"
    ):
        read(tmp_path, {"images/train/a.png": b"no image"})


# -- rows


def test_mixed_rows_are_read_one_by_one_and_noted(tmp_path: Path) -> None:
    dataset = read(tmp_path, {"labels/train/a.txt": TRIANGLE + BOX + TRIANGLE})
    triangle, box = Polygon([20, 15, 60, 15, 40, 45], label=1), Bbox(30, 15, 20, 30, label=0)
    assert only(dataset) == [triangle, box, triangle]
    assert "1 label files mix boxes with other rows, such as" in dataset.report.notes[0]


def test_scores_behind_rows_are_read(tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.25 0.5 0.75\n1 0.25 0.25 0.75 0.25 0.5 0.75 0.5\n"
    assert [one.score for one in only(read(tmp_path, {"labels/train/a.txt": text}))] == [0.75, 0.5]


@pytest.mark.parametrize(
    ("task", "row", "message"),
    [
        ("auto", "0 0.5 0.5 0.5", "it has 4 numbers; a box has 5, a polygon 7 or more"),
        ("detect", TRIANGLE, "it has 7 numbers; a box has 5"),
        ("segment", "0 1", "it has 2 numbers; a polygon has 7 or more"),
        ("obb", TRIANGLE, "it has 7 numbers; a rotated box has 9"),
        ("auto", "1 0.25 0.25 0.75 99.5 0.5 0.75", r"99\.5 is not relative to the image, from 0 to 1"),
    ],
)
def test_rows_that_make_no_sense_name_file_and_line(
    tmp_path: Path, task: str, row: str, message: str
) -> None:
    with pytest.raises(FormatError, match=rf"labels/train/a\.txt, line 1: {message}"):
        read(tmp_path, {"labels/train/a.txt": row}, task=task)


def test_task_says_what_eight_coordinates_are(tmp_path: Path) -> None:
    row = {"labels/train/a.txt": "0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n", "labels/val/inner/a.txt": ""}
    assert only(read(tmp_path, row, task="segment")) == [Polygon([20, 15, 60, 15, 60, 45, 20, 45], label=0)]
    assert only(read(tmp_path, row, task="obb")) == [Bbox(20, 15, 40, 30, label=0)]
    text = SOURCE["data.yaml"] + "task: segment\n"
    assert len(only(read(tmp_path, row | {"data.yaml": text}))[0].points) == 8


def test_rotated_boxes_are_recognised_if_all_rows_are_rectangles(tmp_path: Path) -> None:
    row = "0 0.5 0.25 0.6 0.38333333 0.5 0.51666667 0.4 0.38333333\n"  # 45 degrees, with few digits
    found = only(read(tmp_path, {"labels/train/a.txt": row, "labels/val/inner/a.txt": ""}))
    assert found[0].type == AnnotationType.bbox
    assert [found[0].rotation, found[0].w, found[0].cx] == pytest.approx([45, 128**0.5, 40], abs=1e-4)


def test_four_corners_that_are_no_rectangle_stay_a_polygon(tmp_path: Path) -> None:
    row = {"labels/train/a.txt": "0 0.25 0.25 0.75 0.25 0.9 0.75 0.25 0.75\n", "labels/val/inner/a.txt": ""}
    quadrangle = Polygon([20, 15, 60, 15, 72, 45, 20, 45], label=0)
    dataset = read(tmp_path / "in", row, task="obb")
    assert only(dataset) == [quadrangle]
    dataset_of(quadrangle).export(tmp_path / "out", "yolo_ultralytics", task="obb")
    assert written(tmp_path / "out") == [[0, 0.25, 0.25, 0.75, 0.25, 0.9, 0.75, 0.25, 0.75]]


def test_upright_box_around_a_rotated_one_is_written_by_detect(tmp_path: Path) -> None:
    report = dataset_of(Bbox(30, 10, 20, 40, label=0, rotation=90)).export(
        tmp_path / "out", "yolo_ultralytics", task="detect"
    )
    assert written(tmp_path / "out")[0] == pytest.approx([0, 0.5, 0.5, 0.5, 1 / 3])
    assert report.lost == {"rotation angles": 1}


# -- poses

POSE = {"data.yaml": "train: images/train\nnames: [cat]\nkpt_shape: [2, 3]\nkpt_names:\n  0: [nose, tail]\n"}


def test_poses_are_boxes_and_points_of_one_group(tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.5 0.5 0.25 0.5 2 0.75 0.5 1\n0 0.5 0.5 0.25 0.5 0 0 0 0 0 0\n"
    dataset = read(tmp_path, POSE | {"labels/train/a.txt": text})
    box, points, alone = only(dataset)
    assert box == Bbox(20, 15, 40, 30, label=0, group=box.group)
    assert points == Points([20, 30, 60, 30], [2, 1], label=0, group=box.group)
    assert alone == Bbox(30, 15, 20, 30, label=0)
    assert box.group != 0
    categories = dataset.categories()[AnnotationType.points]
    assert categories[0].labels == ["nose", "tail"]
    dataset.export(tmp_path / "out", "yolo_ultralytics")
    assert written(tmp_path / "out") == [
        [0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.5, 2, 0.75, 0.5, 1], [0, 0.5, 0.5, 0.25, 0.5, 0, 0, 0, 0, 0, 0]
    ]  # fmt: skip
    again = Dataset.import_from(tmp_path / "out")
    assert only(again) == only(dataset)
    assert again.categories() == dataset.categories()


def test_points_without_visibility_are_visible_unless_they_are_at_zero(tmp_path: Path) -> None:
    files = {"data.yaml": "train: images/train\nnames: [cat]\nkpt_shape: [2, 2]\n",
             "labels/train/a.txt": "0 0.5 0.5 0.5 0.5 0.25 0.5 0 0\n"}  # fmt: skip
    assert [int(state) for state in only(read(tmp_path, files))[1].visibility] == [2, 0]


def test_rows_with_another_number_of_points_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="line 1: it has 8 numbers; a box with 2 points has 11"):
        read(tmp_path, POSE | {"labels/train/a.txt": "0 0.5 0.5 0.5 0.5 0.25 0.5 2\n"})


def test_points_of_skeletons_are_ordered_by_name_and_points_outside_are_absent(tmp_path: Path) -> None:
    points = PointsCategories.from_iterable([(0, ["nose", "ear", "tail"])])
    labels = dataset_of().categories()[AnnotationType.label]
    skeleton = Skeleton([40, 30, 100, 30, 20, 15], [1, 2, 2], ["tail", "nose", "wing"], label=0)
    dataset = dataset_of(skeleton, categories={AnnotationType.label: labels, AnnotationType.points: points})
    report = dataset.export(tmp_path / "out", "yolo_ultralytics")
    assert written(tmp_path / "out")[0][5:] == [0, 0, 0, 0, 0, 0, 0.5, 0.5, 1]
    assert any("1 points of skeletons have names that their label lacks" in note for note in report.notes)
    assert any("1 points reached beyond their image" in note for note in report.notes)


# -- polygons and masks


def iou(ring: list[float], mask: Any, size: tuple[int, int] = (60, 80)) -> float:
    scaled = np.array(ring).reshape(-1, 2) * size[::-1]
    return float(masks.iou([masks.from_polygons([scaled.reshape(-1)], *size)], [mask])[0, 0])


def test_mask_with_a_hole_and_two_parts_becomes_one_polygon_with_its_area(tmp_path: Path) -> None:
    pixels = np.zeros((60, 80), bool)
    pixels[5:40, 5:40] = True
    pixels[10:20, 10:30] = False
    pixels[25:30, 12:14] = False
    pixels[45:55, 50:75] = True
    report = dataset_of(Mask(pixels, label=1)).export(tmp_path / "out", "yolo_ultralytics")
    (row,) = written(tmp_path / "out")
    assert iou(row[1:], masks.encode(pixels)) == 1
    assert report.notes == ["1 masks became polygons: the least intersection over union is 1.0000"]
    assert report.lost == {}


@pytest.mark.parametrize("count", [2, 4])
def test_all_parts_of_a_polygon_are_written_as_one_row(tmp_path: Path, count: int) -> None:
    parts = [[5 + 15 * part, 5, 15 + 15 * part, 8, 10 + 15 * part, 30 + part] for part in range(count)]
    text = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 60, "width": 80}],
        "categories": [{"id": 0, "name": "x"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 0, "segmentation": parts, "iscrowd": 0}],
    }
    coco = make(tmp_path / "coco", {"annotations/instances_train.json": json.dumps(text)})
    report = Dataset.import_from(coco).export(tmp_path / "out", "yolo_ultralytics")
    (row,) = written(tmp_path / "out")
    assert iou(row[1:], masks.from_polygons(parts, 60, 80)) == 1
    assert report.notes == ["1 polygons of several parts became one each, with bridges without area"]


def test_run_lengths_are_no_crowds(tmp_path: Path) -> None:
    pixels = np.zeros((60, 80), bool)
    pixels[5:40, 5:40] = True
    dataset = dataset_of(Mask(pixels, label=1), Mask(pixels, label=0, attributes={"is_crowd": True}))
    report = dataset.export(tmp_path / "out", "yolo_ultralytics")
    assert [row[0] for row in written(tmp_path / "out")] == [1, 0]
    assert report.lost == {"marks of crowds": 1}
    dataset.export(tmp_path / "less", "yolo_ultralytics", skip_crowd=True)
    assert [row[0] for row in written(tmp_path / "less")] == [1]


def test_polygons_are_cut_at_the_sides_of_the_image(tmp_path: Path) -> None:
    shapes = [Polygon([-40, 0, 40, 0, 40, 30], label=0), Polygon([100, 0, 120, 0, 120, 30], label=1)]
    report = dataset_of(*shapes).export(tmp_path / "out", "yolo_ultralytics")
    assert [sorted(zip(row[1::2], row[2::2], strict=True)) for row in written(tmp_path / "out")] == [
        [(0, 0), (0, 0.25), (0.5, 0), (0.5, 0.5)]
    ]
    assert report.notes == ["1 polygons reached beyond their image and were cut at its sides"]
    assert report.lost == {"annotations outside of their image": 1}


def test_box_of_a_polygon_is_no_loss_and_other_boxes_are_counted(tmp_path: Path) -> None:
    triangle = [20, 15, 60, 15, 40, 45]
    shapes = [
        Bbox(20, 15, 40, 30, label=0, group=1),
        Polygon(triangle, label=0, group=1),
        Bbox(1, 2, 3, 4, label=1),
    ]
    report = dataset_of(*shapes).export(tmp_path / "out", "yolo_ultralytics")
    assert written(tmp_path / "out") == [[0, 0.25, 0.25, 0.75, 0.25, 0.5, 0.75]]
    assert report.lost["boxes"] == 1


def test_task_can_be_chosen(tmp_path: Path) -> None:
    report = dataset_of(Polygon([20, 15, 60, 15, 40, 45], label=0)).export(
        tmp_path / "out", "yolo_ultralytics", task="detect"
    )
    assert written(tmp_path / "out") == [[0, 0.5, 0.5, 0.5, 0.5]]
    assert report.lost == {"outlines of polygons": 1}


# -- classes


def test_classes_are_folders_sorted_by_name_without_configuration(tmp_path: Path) -> None:
    files = {"train/dog/1.png": SIZE, "train/cat/1.png": SIZE, "val/cat/x/1.JPG": SIZE}
    dataset = Dataset.import_from(make(tmp_path, files), "yolo_ultralytics", task="classify")
    assert names(dataset) == ["cat", "dog"]
    assert keys(dataset) == [("train", "cat/1"), ("train", "dog/1"), ("val", "cat/x/1")]
    assert only(dataset, "train", "dog/1") == [Label(1)]


def test_classes_survive_without_images(tmp_path: Path) -> None:
    dataset = dataset_of(Label(1))
    dataset.export(tmp_path / "out", "yolo_ultralytics")
    again = Dataset.import_from(tmp_path / "out")
    assert names(again) == ["cat", "dog"]
    assert only(again, name="dog/a") == [Label(1)]


def test_items_without_or_with_two_labels_are_counted(tmp_path: Path) -> None:
    dataset = dataset_of(Label(1), Label(0))
    dataset.put(DatasetItem("none", subset="train", media=Image(path="b.jpg", size=(60, 80))))
    report = dataset.export(tmp_path / "out", "yolo_ultralytics")
    assert report.lost == {"labels": 1}
    assert report.notes == ["1 items have no label and were left out: a class is a folder"]


def test_image_in_no_folder_of_a_class_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="the image is in no folder of a class"):
        Dataset.import_from(make(tmp_path / "a", {"a.png": SIZE}), "yolo_ultralytics", task="classify")
    with pytest.raises(FormatError, match="no images in folders SUBSET/CLASS/IMAGE"):
        Dataset.import_from(make(tmp_path / "b", {"a.txt": ""}), "yolo_ultralytics", task="classify")


# -- everything


SIGNS = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs"), exclude_characters="/\\:")
WORDS = st.text(SIGNS, min_size=1, max_size=6).filter(lambda text: text.strip(".") == text)
IDS = st.lists(WORDS, min_size=1, max_size=3).map("/".join)
COORDINATES = st.integers(0, 40_000).map(lambda number: number / 1000)
SIDES = st.integers(0, 20_000).map(lambda number: number / 1000)
BOXES = st.builds(Bbox, COORDINATES, COORDINATES, SIDES, SIDES, label=st.integers(0, 2))


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    subsets = draw(
        st.lists(WORDS.filter(lambda name: "=" not in name and name not in RESERVED), max_size=3, unique=True)
    )
    items = []
    for subset in subsets:
        for name in draw(
            st.lists(IDS, max_size=3, unique_by=lambda name: unicodedata.normalize("NFC", name))
        ):
            media = Image(path="a.jpg", size=(60, 80))
            items.append(
                DatasetItem(name, subset=subset, media=media, annotations=draw(st.lists(BOXES, max_size=3)))
            )
    return Dataset.from_iterable(items, categories=draw(st.lists(WORDS, min_size=3, max_size=3, unique=True)))


@settings(deadline=None, max_examples=60)
@given(datasets(), st.sampled_from(["yolo", "yolo_ultralytics"]))
def test_datasets_of_all_names_come_back(dataset: Dataset, format: str) -> None:
    with TemporaryDirectory() as folder:
        dataset.export(f"{folder}/out", format)
        again = Dataset.import_from(f"{folder}/out", format)
    assert keys(again) == keys(dataset)
    assert names(again) == names(dataset)
    for item in dataset:
        found = again.get(item.id, item.subset)
        assert found is not None, item.id
        assert found.annotations == item.annotations, item.id
