"""Open Images: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

from ddfast.annotated import AnnotationType, Bbox, Dataset, DatasetItem, Label, LabelCategories, Mask
from ddfast.errors import FormatError
from ddfast.testing.formats import FormatTests


class TestOpenImages(FormatTests):
    format = "open_images"
    digits = 9


BOXES = """ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside
a,xclick,/m/cat,1,0.0125,0.1955,0.148438,0.587,0,1,-1,0,0
a,activemil,/m/dog,0.5,0,0.5,0.25,1,,,,,
b,xclick,/m/cat,1,0.5,0.75,0.5,0.75,0,0,1,0,0
"""

MASKS = """MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks
a_mcat_1.png,a,/m/cat,13fa,0.012500,0.195500,0.148438,0.587000,0.75,0.1 0.2 1;0.3 0.4 0
"""


def write(folder: Path, **files: str) -> Path:
    """A folder of which the names of files have ``_`` for ``-``."""
    defaults = {
        "class_descriptions": '/m/animal,Animal\n/m/cat,Cat\n/m/dog,"Dog, tame"\n',
        "train_images_with_rotation": 'ImageID,Subset,Title\na,train,"two\nlines"\nb,train,x\n',
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "annotations").mkdir(exist_ok=True)
    for name, text in (defaults | files).items():
        (folder / "annotations" / f"{name.replace('_', '-')}.csv").write_text(text, "utf-8")
    return folder


def save(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PilImage.fromarray(np.asarray(pixels, np.uint8)).save(path)


def sizes(folder: Path, text: str = "a 100 200\n'b' 50 40\n") -> None:
    (folder / "annotations/images.meta").write_text(text)


def read(folder: Path, **options: Any) -> Dataset:
    return Dataset.import_from(folder, "open_images", **options)


def test_boxes_labels_and_masks_have_their_exact_values(tmp_path: Path) -> None:
    labels = "ImageID,Source,LabelName,Confidence\na,verification,/m/animal,1\nb,verification,/m/dog,0\nc,,/m/dog,1\n"
    folder = write(
        tmp_path,
        train_annotations_bbox=BOXES,
        oidv6_train_annotations_human_imagelabels=labels,
        train_annotations_object_segmentation=MASKS,
    )
    sizes(folder)
    mask = np.zeros((50, 100), np.uint8)
    mask[10:20, 5:10] = 255
    save(folder / "masks/train/a_mcat_1.png", mask)
    dataset = read(folder)
    categories = dataset.categories()[AnnotationType.label]
    assert isinstance(categories, LabelCategories)
    assert [item.name for item in categories.items] == ["/m/animal", "/m/cat", "/m/dog"]
    a, b, c = dataset
    assert [(item.id, item.subset) for item in (a, b, c)] == [("a", "train"), ("b", "train"), ("c", "train")]
    label, cat, dog, segment = a.annotations
    assert label == Label(0, score=1, source="verification")
    assert cat == Bbox(
        0.0125 * 200, 0.148438 * 100, 0.1955 * 200 - 0.0125 * 200, 0.587 * 100 - 0.148438 * 100,
        label=1, group=1, score=1, source="xclick",
        attributes={"occluded": False, "truncated": True, "is_depiction": False, "is_inside": False},
    )  # fmt: skip
    assert dog == Bbox(0, 25, 100, 75, label=2, group=2, score=0.5, source="activemil")
    assert isinstance(segment, Mask)
    assert (segment.label, segment.group, segment.attributes) == (
        1,
        1,
        {"box_id": "13fa", "predicted_iou": 0.75},
    )
    expected = np.zeros((100, 200), bool)
    expected[20:40, 10:20] = True
    assert np.array_equal(segment.image, expected)
    assert b.annotations[0] == Label(2, score=0, source="verification")
    assert b.annotations[1].attributes["is_group_of"] is True
    assert c.annotations == [Label(2, score=1)]


def test_files_are_equal_after_a_round_trip(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", train_annotations_bbox=BOXES, train_annotations_object_segmentation=MASKS)
    sizes(folder)
    save(folder / "masks/a_mcat_1.png", np.ones((100, 200)))
    before = read(folder)
    before.export(tmp_path / "out", "open_images")
    after = read(tmp_path / "out")
    assert [item.annotations for item in after] == [item.annotations for item in before]
    text = (tmp_path / "out/annotations/train-annotations-bbox.csv").read_text()
    assert '"a","xclick","/m/cat",1,0.0125,0.1955,0.148438,0.587,0,1,-1,0,0' in text


def test_documented_dataset_is_exported(tmp_path: Path) -> None:
    dataset = Dataset.from_iterable(
        [
            DatasetItem(
                id="0000000000000001",
                image=np.ones((1, 5, 3)),
                subset="validation",
                annotations=[Label(0, attributes={"score": 1}), Label(1, attributes={"score": 0})],
            )
        ],
        categories=["/m/0", "/m/1"],
    )
    dataset.export(tmp_path / "dataset", format="open_images")
    (item,) = Dataset.import_from(tmp_path / "dataset")
    assert (item.id, item.subset) == ("0000000000000001", "validation")
    assert item.annotations == [Label(0, score=1), Label(1, score=0)]


def test_sizes_of_items_stay_without_their_images(tmp_path: Path) -> None:
    items = [
        DatasetItem(
            "x",
            subset=subset,
            image=np.zeros((height, 80, 3), np.uint8),
            annotations=[Bbox(8, 6, 4, 3, label=0)],
        )
        for subset, height in (("train", 60), ("test", 30))
    ]
    items.append(DatasetItem("only one", subset="test", image=np.zeros((5, 7, 3), np.uint8)))
    Dataset.from_iterable(items, ["cat"]).export(tmp_path / "out", "open_images", save_media=False)
    assert not (tmp_path / "out/images").exists()
    for item in read(tmp_path / "out"):
        (before,) = [one for one in items if (one.id, one.subset) == (item.id, item.subset)]
        assert item.media.size == before.media.size
        assert [one.points for one in item.annotations] == [one.points for one in before.annotations]


def test_sizes_come_from_images_or_from_the_user(tmp_path: Path) -> None:
    folder = write(tmp_path, train_annotations_bbox=BOXES.replace("\nb", "\na"))
    with pytest.raises(
        FormatError, match=r"annotations-bbox\.csv, row 1, field 'ImageID': the size of image a"
    ):
        read(folder)
    assert len(read(folder, on_error="skip").annotations_table()) == 0
    assert len(read(folder, image_meta={"a": (100, 200)}).annotations_table()) == 3
    (tmp_path / "given.txt").write_text("a 10 20\n")
    assert next(iter(read(folder, image_meta="given.txt"))).annotations[1].points == [0, 2.5, 10, 10]
    with pytest.raises(FormatError, match="does not exist"):
        read(folder, image_meta="gone.txt")
    save(folder / "images/train/a.JPG", np.zeros((100, 200, 3)))
    assert next(iter(read(folder))).annotations[1].points == [0, 25, 100, 100]


def test_boxes_in_images_of_unknown_size_are_counted(tmp_path: Path) -> None:
    item = DatasetItem("a", annotations=[Bbox(1, 2, 3, 4, label=0)])
    report = Dataset.from_iterable([item], ["cat"]).export(tmp_path / "out", "open_images")
    assert report.lost == {"boxes in images of unknown size": 1}


def test_parents_of_labels_survive(tmp_path: Path) -> None:
    labels = LabelCategories.from_iterable([("/m/0", "/m/2"), ("/m/1", "/m/2"), "/m/2", "/m/3"])
    items = [DatasetItem("a", annotations=[Label(0)])]
    Dataset.from_iterable(items, {AnnotationType.label: labels}).export(tmp_path / "out", "open_images")
    assert read(tmp_path / "out").categories() == {AnnotationType.label: labels}


def test_images_that_no_list_has_are_items(tmp_path: Path) -> None:
    folder = write(tmp_path)
    save(folder / "images/train/a.png", np.zeros((3, 3, 3)))
    save(folder / "images/val/deep/x.y.png", np.zeros((3, 3, 3)))
    found = [(item.subset, item.id, item.media is not None) for item in read(folder)]
    assert found == [("train", "a", True), ("train", "b", False), ("val", "deep/x.y", True)]


def test_the_list_of_all_images_comes_first(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "annotations/image_ids_and_rotation.csv").write_text("ImageID,Subset\nz,test\n")
    assert [(item.id, item.subset) for item in read(folder)] == [("z", "test")]


def test_machine_labels_are_read_and_relations_noted(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        train_annotations_machine_imagelabels="ImageID,Source,LabelName,Confidence\na,machine,/m/cat,0.7\n",
        train_annotations_vrd="ImageID\n",
    )
    dataset = read(folder)
    assert next(iter(dataset)).annotations == [Label(1, score=0.7, source="machine")]
    assert dataset.report.notes == ["1 files of relations or points were not read"]


WRONG = [
    (("0.0125", "x"), "XMin", "the sides are"),
    (("0.1955", "0.001"), "XMin", "not less than XMin"),
    (
        ("/m/cat,1,0.01", "/m/bird,1,0.01"),
        "LabelName",
        "label '/m/bird' is not in the file of class descriptions",
    ),
    (("/m/cat,1,0.01", "/m/cat,high,0.01"), "Confidence", "it is 'high'; it must be a number"),
]


@pytest.mark.parametrize(("change", "field", "message"), WRONG)
def test_rows_that_make_no_sense_are_named_and_left_out(
    tmp_path: Path, change: tuple[str, str], field: str, message: str
) -> None:
    folder = write(tmp_path, train_annotations_bbox=BOXES.replace(*change))
    sizes(folder)
    with pytest.raises(FormatError, match=message) as caught:
        read(folder)
    place = folder / "annotations/train-annotations-bbox.csv"
    assert str(caught.value).startswith(f"{place}, row 1, field '{field}'")
    assert len(read(folder, on_error="skip").annotations_table()) == 2


@pytest.mark.parametrize("content", [None, b"no image"])
def test_masks_that_are_not_there_or_no_images_are_named(tmp_path: Path, content: bytes | None) -> None:
    folder = write(tmp_path, train_annotations_object_segmentation=MASKS)
    if content:
        (folder / "masks").mkdir()
        (folder / "masks/a_mcat_1.png").write_bytes(content)
    with pytest.raises(FormatError, match=r"row 1, field 'MaskPath'"):
        read(folder)
    assert len(read(folder, on_error="skip").annotations_table()) == 0


def test_masks_never_come_from_outside(tmp_path: Path) -> None:
    save(tmp_path / "secret.png", np.ones((3, 3)))
    masks = MASKS.replace("a_mcat_1.png", "../../../secret.png")
    folder = write(tmp_path / "in", train_annotations_object_segmentation=masks)
    with pytest.raises(FormatError, match="there is no such file"):
        read(folder)


def test_broken_files_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path, train_annotations_bbox="ImageID,LabelName\na,/m/cat,1,2\n")
    with pytest.raises(
        FormatError, match=r"train-annotations-bbox\.csv: it is not a CSV file of Open Images"
    ):
        read(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="has no files of Open Images"):
        read(tmp_path / "empty")


def test_masks_of_ids_that_differ_in_separators_get_files_of_their_own(tmp_path: Path) -> None:
    items = [
        DatasetItem(name, annotations=[Mask(np.eye(4, dtype=bool)[::step], label=0)])
        for step, name in ((1, "a/b"), (-1, "a_b"))
    ]
    before = Dataset.from_iterable(items, ["cat"])
    before.export(tmp_path / "out", "open_images")
    after = {item.id: item.annotations[0] for item in read(tmp_path / "out")}
    for item in items:
        assert after[item.id].rle == item.annotations[0].rle  # type: ignore[attr-defined]
