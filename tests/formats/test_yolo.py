"""Darknet's YOLO: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formats.yolo_sources import SIZE, lines, make

from ddfast.annotated import AnnotationType, Bbox, Dataset, DatasetItem, Image, Mask, Polygon
from ddfast.errors import FormatError
from ddfast.testing.formats import FormatTests

SOURCE = {
    "obj.data": (
        "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n"
    ),
    "obj.names": "house\nbridge\n",
    "train.txt": "data/obj_train_data/a.png\ndata/obj_train_data/inner/b.png\n\n",
    "valid.txt": "data/obj_valid_data/a.png\n",
    "obj_train_data/a.png": SIZE,
    "obj_train_data/a.txt": "0 0.5 0.5 0.25 0.5\n1 0.125 0.25 0.25 0.5\n",
    "obj_train_data/inner/b.png": SIZE,
    "obj_train_data/inner/b.txt": "",
    "obj_valid_data/a.png": SIZE,
    "obj_valid_data/a.txt": "1 0.5 0.5 1 1\n",
}


class TestYolo(FormatTests):
    format = "yolo"


def boxes(item: DatasetItem | None) -> list[tuple[int | None, list[float]]]:
    assert item is not None
    return [(one.label, one.get_bbox()) for one in item.annotations if isinstance(one, Bbox)]


def one_item(item: DatasetItem, *names: str) -> Dataset:
    return Dataset.from_iterable([item], categories=names or ["cat", "dog"])


def item_of(*annotations: Bbox | Polygon | Mask, name: str = "a", subset: str = "train") -> DatasetItem:
    return DatasetItem(
        name, subset=subset, annotations=list(annotations), media=Image(path="a.jpg", size=(60, 80))
    )


def test_documented_layout_is_read_to_exact_values(tmp_path: Path) -> None:
    dataset = Dataset.import_from(make(tmp_path, SOURCE))
    assert dataset.format == "yolo"
    assert [item.name for item in dataset.categories()[AnnotationType.label]] == ["house", "bridge"]
    assert [(item.subset, item.id) for item in dataset] == [
        ("train", "a"),
        ("train", "inner/b"),
        ("valid", "a"),
    ]
    assert boxes(dataset.get("a", "train")) == [(0, [30, 15, 20, 30]), (1, [0, 0, 20, 30])]
    assert boxes(dataset.get("a", "valid")) == [(1, [0, 0, 80, 60])]


def test_documented_example_is_written_and_read(tmp_path: Path) -> None:
    dataset = Dataset.from_iterable(
        [
            DatasetItem(
                id="image_001",
                subset="train",
                image=np.ones((20, 20, 3)),
                annotations=[Bbox(3.0, 1.0, 8.0, 5.0, label=1), Bbox(1.0, 1.0, 10.0, 1.0, label=2)],
            ),
            DatasetItem(
                id="image_002",
                subset="train",
                image=np.ones((15, 10, 3)),
                annotations=[Bbox(4.0, 4.0, 4.0, 4.0, label=3)],
            ),
        ],
        categories=["house", "bridge", "crosswalk", "traffic_light"],
    )
    dataset.export(tmp_path / "out", format="yolo", save_images=True)
    assert (tmp_path / "out/obj.names").read_text() == "house\nbridge\ncrosswalk\ntraffic_light\n"
    assert (tmp_path / "out/train.txt").read_text() == (
        "data/obj_train_data/image_001.png\ndata/obj_train_data/image_002.png\n"
    )
    assert (tmp_path / "out/obj_train_data/image_001.txt").read_text() == (
        "1 0.35 0.175 0.4 0.25\n2 0.3 0.075 0.5 0.05\n"
    )
    again = Dataset.import_from(tmp_path / "out", format="yolo")
    assert boxes(again.get("image_001", "train")) == [(1, [3, 1, 8, 5]), (2, [1, 1, 10, 1])]


def test_any_subset_is_written_and_default_is_train(tmp_path: Path) -> None:
    items = [
        item_of(name=name, subset=subset)
        for name, subset in [("a", "my test"), ("b", "default"), ("c", "val")]
    ]
    Dataset.from_iterable(items, categories=["cat"]).export(tmp_path / "out", "yolo")
    again = Dataset.import_from(tmp_path / "out")
    assert sorted((item.subset, item.id) for item in again) == [
        ("my test", "a"),
        ("train", "b"),
        ("val", "c"),
    ]


@pytest.mark.parametrize("subset", ["names", "Backup", "classes", "a=b", "a\nb"])
def test_subset_that_means_something_else_is_refused(tmp_path: Path, subset: str) -> None:
    with pytest.raises(FormatError, match="cannot have a subset"):
        one_item(item_of(subset=subset)).export(tmp_path / "out", "yolo")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "path", ["data\\obj_train_data\\a.png", "/home/x/data/obj_train_data/a.png", "C:\\x\\obj_train_data\\a.png",
             "../data/obj_train_data/a.png", "./obj_train_data/a.PNG"],
)  # fmt: skip
def test_paths_of_other_systems_are_read(tmp_path: Path, path: str) -> None:
    make(tmp_path, SOURCE | {"train.txt": f"{path}\r\n", "obj.data": "train=train.txt\nnames = obj.names\n"})
    dataset = Dataset.import_from(tmp_path)
    assert boxes(dataset.get("a", "train")) == [(0, [30, 15, 20, 30]), (1, [0, 0, 20, 30])]


def test_written_paths_have_slashes(tmp_path: Path) -> None:
    one_item(item_of(name="x/y/z")).export(tmp_path / "out", "yolo", add_path_prefix=False)
    assert (tmp_path / "out/train.txt").read_text() == "obj_train_data/x/y/z.jpg\n"
    assert "names = obj.names\n" in (tmp_path / "out/obj.data").read_text()


def test_labels_below_a_folder_labels_are_found(tmp_path: Path) -> None:
    make(tmp_path, {
        "obj.data": "train = train.txt\nnames = obj.names\n", "obj.names": "cat\n", "train.txt": "images/train/a.png\n",
        "images/train/a.png": SIZE, "labels/train/a.txt": "0 0.5 0.5 0.5 0.5\n",
    })  # fmt: skip
    assert boxes(Dataset.import_from(tmp_path).get("a", "train")) == [(0, [20, 15, 40, 30])]


def test_item_without_label_file_stays_and_its_status_differs(tmp_path: Path) -> None:
    source = {name: content for name, content in SOURCE.items() if name != "obj_train_data/a.txt"}
    dataset = Dataset.import_from(make(tmp_path / "in", source))
    missing, empty = dataset.get("a", "train"), dataset.get("inner/b", "train")
    assert missing is not None
    assert empty is not None
    assert (missing.annotations, missing.status) == ([], None)
    assert (empty.annotations, empty.status) == ([], "annotated")
    dataset.export(tmp_path / "out", "yolo", save_media=True)
    assert not (tmp_path / "out/obj_train_data/a.txt").exists()
    assert (tmp_path / "out/obj_train_data/inner/b.txt").read_text() == ""


def test_only_annotated_leaves_out_what_nobody_has_annotated(tmp_path: Path) -> None:
    items = [
        item_of(Bbox(1, 2, 3, 4, label=0)),
        item_of(name="new"),
        item_of(name="empty").wrap(status="annotated"),
    ]
    Dataset.from_iterable(items, categories=["cat"]).export(tmp_path / "out", "yolo", only_annotated=True)
    assert (tmp_path / "out/train.txt").read_text().count("\n") == 2
    assert not (tmp_path / "out/obj_train_data/new.txt").exists()


def test_size_of_images_that_are_not_there_comes_from_a_list(tmp_path: Path) -> None:
    one_item(item_of(Bbox(10, 12.5, 20, 30, label=1))).export(tmp_path / "out", "yolo")
    assert (tmp_path / "out/images.meta").read_text().endswith("\na 60 80\n")
    assert boxes(Dataset.import_from(tmp_path / "out").get("a", "train")) == [(1, [10, 12.5, 20, 30])]


@pytest.mark.parametrize("form", ["map", "file"])
def test_sizes_can_be_given(tmp_path: Path, form: str) -> None:
    one_item(item_of(Bbox(10, 12, 20, 30, label=1))).export(tmp_path / "out", "yolo")
    (tmp_path / "out/images.meta").rename(tmp_path / "sizes")
    info = {"a": (60, 80)} if form == "map" else tmp_path / "sizes"
    dataset = Dataset.import_from(tmp_path / "out", image_info=info)
    assert boxes(dataset.get("a", "train")) == [(1, [10, 12, 20, 30])]


def test_sizes_that_differ_between_subsets_are_kept_apart(tmp_path: Path) -> None:
    box = Bbox(10, 12, 20, 30, label=1)
    other = DatasetItem("a", subset="valid", annotations=[box], media=Image(path="a.jpg", size=(100, 200)))
    Dataset.from_iterable([item_of(box), other], categories=["x", "y"]).export(tmp_path / "out", "yolo")
    dataset = Dataset.import_from(tmp_path / "out")
    assert boxes(dataset.get("a", "train")) == boxes(dataset.get("a", "valid")) == [(1, [10, 12, 20, 30])]


def test_missing_image_without_size_names_the_file(tmp_path: Path) -> None:
    make(tmp_path, SOURCE)
    (tmp_path / "obj_train_data/a.png").unlink()
    with pytest.raises(FormatError, match=r"obj_train_data/a\.txt: image obj_train_data/a\.png is not there"):
        Dataset.import_from(tmp_path)
    dataset = Dataset.import_from(tmp_path, on_error="skip")
    assert len(dataset) == 3
    assert dataset.report.problem_count == 1


def test_export_without_size_and_image_is_refused(tmp_path: Path) -> None:
    item = DatasetItem("a", subset="train", annotations=[Bbox(1, 2, 3, 4, label=0)])
    with pytest.raises(FormatError, match="'a' has annotations, but neither a size nor an image"):
        one_item(item).export(tmp_path / "out", "yolo")


def test_size_of_rotated_images_is_that_of_the_display(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    make(tmp_path, SOURCE)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.new("RGB", (60, 80)).save(tmp_path / "obj_train_data/a.png", exif=exif)
    assert boxes(Dataset.import_from(tmp_path).get("a", "train"))[0] == (0, [30, 15, 20, 30])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0 0.5 0.5 0.1", "line 2: it has 4 numbers; a box has 5"),
        ("0 0.5 0.5 0.1 x", "line 2: 'x' is not a number"),
        ("0 0.5 0.5 0.1 nan", "line 2: 'nan' is not a number"),
        ("2 0.5 0.5 0.1 0.1", "line 2: there is no class 2; there are 2"),
        ("-1 0.5 0.5 0.1 0.1", "line 2: there is no class -1"),
        ("0.5 0.5 0.5 0.1 0.1", r"line 2: 0\.5 is not a number of a class"),
        ("0 40 30 10 10", "line 2: 40 is not relative to the image"),
        ("0 0.5 0.5 -0.1 0.1", "line 2: its width or height is negative"),
    ],
)
def test_rows_that_make_no_sense_name_file_and_line(tmp_path: Path, row: str, message: str) -> None:
    make(tmp_path, SOURCE | {"obj_train_data/a.txt": f"1 0.5 0.5 0.5 0.5\n{row}\n\n0 0.5 0.5 0.5 0.5\n"})
    with pytest.raises(FormatError, match=rf"a\.txt, {message}"):
        Dataset.import_from(tmp_path)
    dataset = Dataset.import_from(tmp_path, on_error="skip")
    assert [label for label, _ in boxes(dataset.get("a", "train"))] == [1, 0]
    assert dataset.report.problem_count == 1


def test_files_as_other_tools_write_them(tmp_path: Path) -> None:
    text = "\ufeff0\t0.5  0.5 0.25 0.5\r\n\r\n 1 1.25e-1 0.25 0.25 0.5 0.875"  # a byte order mark, a score, no end
    dataset = Dataset.import_from(make(tmp_path, SOURCE | {"obj_train_data/a.txt": text}))
    item = dataset.get("a", "train")
    assert boxes(item) == [(0, [30, 15, 20, 30]), (1, [0, 0, 20, 30])]
    assert item is not None
    assert [one.score for one in item.annotations] == [None, 0.875]


def test_empty_lines_in_names_keep_the_numbers(tmp_path: Path) -> None:
    make(tmp_path, SOURCE | {"obj.names": "house\r\n\r\nbridge\r\n\r\n", "valid.txt": ""})
    make(tmp_path, {"obj_train_data/a.txt": "2 0.5 0.5 0.25 0.5"})
    dataset = Dataset.import_from(tmp_path)
    assert [item.name for item in dataset.categories()[AnnotationType.label]] == ["house", "bridge"]
    assert boxes(dataset.get("a", "train")) == [(1, [30, 15, 20, 30])]


def test_equal_names_stay_two_classes(tmp_path: Path) -> None:
    make(tmp_path, SOURCE | {"obj.names": "cat\ncat\n"})
    dataset = Dataset.import_from(tmp_path)
    assert [item.name for item in dataset.categories()[AnnotationType.label]] == ["cat", "cat 1"]
    assert "has the name of another class" in dataset.report.notes[0]


def test_gaps_in_the_ids_of_categories_are_closed(tmp_path: Path) -> None:
    from ddfast.annotated import LabelCategories

    labels = LabelCategories()
    for number, name in [(1, "person"), (3, "car"), (90, "brush")]:
        labels.add(name, id=number)
    dataset = Dataset.from_iterable(
        [item_of(Bbox(0, 0, 80, 60, label=2))], categories={AnnotationType.label: labels}
    )
    dataset.export(tmp_path / "out", "yolo")
    assert (tmp_path / "out/obj.names").read_text() == "person\ncar\nbrush\n"
    assert lines(tmp_path / "out/obj_train_data/a.txt") == [[2, 0.5, 0.5, 1, 1]]


def test_boxes_are_cut_at_the_sides_of_the_image(tmp_path: Path) -> None:
    box = [Bbox(-10, 30, 20, 40, label=0), Bbox(10, 10, 1 / 3, 1 / 7, label=1), Bbox(90, 10, 5, 5, label=0)]
    report = one_item(item_of(*box)).export(tmp_path / "out", "yolo")
    rows = lines(tmp_path / "out/obj_train_data/a.txt")
    assert rows[0] == [0, 0.0625, 0.75, 0.125, 0.5]
    assert rows[1] == [1, (10 + 1 / 6) / 80, (10 + 1 / 14) / 60, 1 / 3 / 80, 1 / 7 / 60]
    assert report.notes == ["1 boxes reached beyond their image and were cut at its sides"]
    assert report.lost == {"annotations outside of their image": 1}


def test_no_number_is_above_1_even_if_rounded(tmp_path: Path) -> None:
    items = [
        DatasetItem(str(width), subset="train", annotations=[Bbox(width - 1 / 3, 0, 1 / 3, width, label=0)],
                    media=Image(path="a.jpg", size=(width, width)))
        for width in range(1, 300)
    ]  # fmt: skip
    for decimals in (None, 6, 2):
        Dataset.from_iterable(items, categories=["cat"]).export(
            tmp_path / str(decimals), "yolo", decimals=decimals
        )
        rows = [lines(path)[0] for path in (tmp_path / str(decimals)).glob("obj_train_data/*.txt")]
        assert len(rows) == 299
        assert 0 <= np.min(rows) <= np.max(rows) <= 1


def test_small_numbers_have_no_exponent(tmp_path: Path) -> None:
    big = DatasetItem("a", subset="train", annotations=[Bbox(0.0005, 0.0005, 0.001, 0.001, label=0)],
                      media=Image(path="a.jpg", size=(1000, 1000)))  # fmt: skip
    one_item(big).export(tmp_path / "out", "yolo")
    assert (tmp_path / "out/obj_train_data/a.txt").read_text() == "0 0.000001 0.000001 0.000001 0.000001\n"


def test_crowds_are_written_and_counted_or_left_out(tmp_path: Path) -> None:
    dataset = one_item(
        item_of(Bbox(1, 2, 3, 4, label=0, attributes={"is_crowd": True}), Bbox(1, 2, 3, 4, label=1))
    )
    report = dataset.export(tmp_path / "out", "yolo")
    assert [row[0] for row in lines(tmp_path / "out/obj_train_data/a.txt")] == [0, 1]
    assert report.lost == {"marks of crowds": 1}
    report = dataset.export(tmp_path / "less", "yolo", skip_crowd=True)
    assert [row[0] for row in lines(tmp_path / "less/obj_train_data/a.txt")] == [1]
    assert report.lost == {"crowds": 1}


def test_boxes_around_other_shapes_are_written_and_their_outlines_counted(tmp_path: Path) -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:30, 20:40] = True
    shapes = [
        Polygon([0, 0, 40, 0, 40, 30], label=0),
        Mask(mask, label=1),
        Bbox(0, 0, 8, 6, label=1, group=5),
        Polygon([0, 0, 8, 0, 8, 6], label=1, group=5),
        Bbox(0, 0, 8, 6),
    ]
    report = one_item(item_of(*shapes)).export(tmp_path / "out", "yolo")
    assert lines(tmp_path / "out/obj_train_data/a.txt") == [
        [0, 0.25, 0.25, 0.5, 0.5], [1, 0.375, 20 / 60, 0.25, 20 / 60], [1, 0.05, 0.05, 0.1, 0.1]
    ]  # fmt: skip
    assert report.lost == {
        "outlines of polygons": 2, "outlines of masks": 1, "annotations without a label": 1, "groups": 2
    }  # fmt: skip


def test_images_with_the_same_name_stay_two_items(tmp_path: Path) -> None:
    make(
        tmp_path,
        SOURCE | {"obj_train_data/a.bmp": SIZE, "train.txt": "obj_train_data/a.png\nobj_train_data/a.bmp\n"},
    )
    dataset = Dataset.import_from(tmp_path)
    assert [item.id for item in dataset.get_subset("train")] == ["a", "a.bmp"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"obj.data": "names = x.names\ntrain = train.txt\n"},
            r"obj\.data, field 'names': there is no file 'x.names'",
        ),
        (
            {"obj.data": "names = obj.names\ntrain = x.txt\n"},
            r"obj\.data, field 'train': there is no list of images",
        ),
        ({"images.meta": "a 0 5\n"}, r"images\.meta, line 1: 'a 0 5' is not a name, a height and a width"),
    ],
)
def test_faults_of_configuration_name_file_and_field(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        Dataset.import_from(make(tmp_path, SOURCE | change), "yolo")


def test_folder_without_configuration_and_missing_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no file such as obj\.data"):
        Dataset.import_from(tmp_path, "yolo")
    make(tmp_path, SOURCE)
    with pytest.raises(FormatError, match="with the sizes of images, does not exist"):
        Dataset.import_from(tmp_path, "yolo", image_info=tmp_path / "nothing")
    make(tmp_path, {"other.data": SOURCE["obj.data"]})
    with pytest.raises(FormatError, match=r"several files with subsets \(obj.data, other.data\): name one"):
        Dataset.import_from(tmp_path, "yolo")
    assert len(Dataset.import_from(tmp_path / "obj.data", "yolo")) == 3


@pytest.mark.parametrize("name", ["a\nb", "a\rb"])
def test_line_breaks_in_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match="has a line break"):
        one_item(item_of(name=name)).export(tmp_path / "out", "yolo")
    with pytest.raises(FormatError, match="has a line break"):
        one_item(item_of(), name).export(tmp_path / "out", "yolo")


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    make(tmp_path, {"secret/names.txt": "secret\n", "secret/x.png": SIZE})
    make(tmp_path / "in", SOURCE | {"obj.data": "names = ../secret/names.txt\ntrain = train.txt\n"})
    with pytest.raises(FormatError, match="there is no file"):
        Dataset.import_from(tmp_path / "in", "yolo")
    make(tmp_path / "in", SOURCE | {"train.txt": "../secret/x.png\n"})
    item = next(iter(Dataset.import_from(tmp_path / "in", "yolo").get_subset("train")))
    assert item.id == "x"
    assert item.annotations == []
