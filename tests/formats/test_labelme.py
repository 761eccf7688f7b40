"""labelme's JSON: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage

from ddfast.annotated import (
    Bbox,
    Dataset,
    DatasetItem,
    Mask,
    Points,
    Polygon,
    PolyLine,
    RleMask,
    masks,
)
from ddfast.annotated.boxes import Ellipse
from ddfast.errors import FormatError
from ddfast.testing.formats import LABELS, FormatTests


class TestLabelme(FormatTests):
    format = "labelme"


def image(width: int = 80, height: int = 60, kind: str = "PNG") -> bytes:
    out = BytesIO()
    PilImage.new("RGB", (width, height)).save(out, kind)
    return out.getvalue()


def png(pixels: Any) -> str:
    out = BytesIO()
    PilImage.fromarray(np.asarray(pixels)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def shape(kind: str | None, points: Any, label: Any = "cat", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def write(path: Path, *shapes: Any, **more: Any) -> Path:
    form = {
        "version": "5.2.1", "flags": {}, "shapes": list(shapes), "imagePath": f"{path.stem}.png", "imageData": None,
        "imageHeight": 60, "imageWidth": 80, **more,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(form, ensure_ascii=False, indent=2), "utf-8")
    return path


def read(folder: Path, **options: Any) -> Dataset:
    return Dataset.import_from(folder, "labelme", **options)


def only(folder: Path, **options: Any) -> DatasetItem:
    (item,) = read(folder, **options)
    return item


def test_all_shapes_of_a_file_have_their_exact_values(tmp_path: Path) -> None:
    write(
        tmp_path / "a.json",
        shape("polygon", [[1.123456789, 2], [30, 4.5], [25.25, 40]], description="left", flags={"old": True}),
        shape("rectangle", [[30.5, 42], [10, 12.1]], "dog", group_id=7),
        shape("circle", [[20, 30], [23, 34]]),
        shape("line", [[1, 2], [3, 4]]),
        shape("linestrip", [[1, 2], [3, 4], [5.5, 6]]),
        shape("point", [[7, 8]]),
        shape("points", [[7, 8], [9, 10.25]], visibility=[2, 1]),
        shape("mask", [[10, 20], [12, 21]], mask=png(np.array([[1, 0, 1], [0, 1, 1]], np.uint8))),
    )
    item = only(tmp_path)
    polygon, box, circle, line, strip, point, points, mask = item.annotations
    assert (item.id, item.subset, item.media.size) == ("a", "default", (60, 80))
    assert polygon == Polygon(
        [1.123456789, 2, 30, 4.5, 25.25, 40], label=0, attributes={"old": True, "description": "left"}
    )
    assert box == Bbox(10, 12.1, 20.5, 42 - 12.1, label=1, group=7)
    assert circle == Ellipse(15, 25, 25, 35, label=0)
    assert line == PolyLine([1, 2, 3, 4], label=0)
    assert strip == PolyLine([1, 2, 3, 4, 5.5, 6], label=0)
    assert point == Points([7, 8], label=0)
    assert points == Points([7, 8, 9, 10.25], [2, 1], label=0)
    expected = np.zeros((60, 80), bool)
    expected[20:22, 10:13] = [[1, 0, 1], [0, 1, 1]]
    assert isinstance(mask, RleMask)
    assert np.array_equal(mask.image, expected)
    assert mask.rle == masks.encode(expected)


def test_areas_are_those_of_the_shapes(tmp_path: Path) -> None:
    write(
        tmp_path / "a.json", shape("polygon", [[0, 0], [4, 0], [4, 3]]), shape("rectangle", [[0, 0], [4, 3]])
    )
    table = read(tmp_path).annotations_table()
    assert table.column("area").to_pylist() == [6.0, 12.0]
    assert table.column("width").to_pylist() == [4.0, 4.0]


def test_written_file_is_as_labelme_writes_it(tmp_path: Path) -> None:
    annotations = [
        Polygon([1.5, 2, 30, 4, 25.125, 40], label=0, group=3, attributes={"old": True, "colour": "red"}),
        Bbox(0.1, 12.5, 20.2, 30, label=1),
    ]
    dataset = Dataset.from_iterable([DatasetItem("a", annotations=annotations)], categories=LABELS)
    dataset.export(tmp_path / "out", "labelme")
    form = json.loads((tmp_path / "out/a.json").read_text("utf-8"))
    assert form["imagePath"] == "a.jpg"
    assert [form[key] for key in ("imageData", "imageHeight", "imageWidth", "flags")] == [
        None,
        None,
        None,
        {},
    ]
    assert form["shapes"][0] == {
        "label": "cat",
        "points": [[1.5, 2.0], [30.0, 4.0], [25.125, 40.0]],
        "group_id": 3,
        "description": "",
        "shape_type": "polygon",
        "flags": {"old": True},
        "mask": None,
        "attributes": {"colour": "red"},
    }
    assert form["shapes"][1]["points"] == [[0.1, 12.5], [20.3, 42.5]]
    assert (tmp_path / "out/labels.txt").read_text("utf-8").splitlines() == LABELS


@pytest.mark.parametrize("keep", [True, False])
def test_image_data_stands_for_an_image_that_is_not_there(tmp_path: Path, keep: bool) -> None:
    text = base64.b64encode(image(kind="JPEG")).decode()
    write(tmp_path / "a.json", imageData=text if keep else None, imagePath="a.jpg")
    item = only(tmp_path)
    if keep:
        assert item.media.bytes == image(kind="JPEG")
        read(tmp_path).export(tmp_path / "out", "labelme", save_media=True)
        assert (tmp_path / "out/a.jpg").read_bytes() == image(kind="JPEG")
    else:
        assert not item.media.has_data


def test_image_of_another_size_than_image_data_is_noted_and_not_taken(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(image(40, 30))
    write(tmp_path / "a.json", imageData=base64.b64encode(image(80, 60)).decode())
    dataset = read(tmp_path)
    item = next(iter(dataset))
    assert item.media.bytes == image(80, 60)
    assert any("imageData of another size" in note and "a.json" in note for note in dataset.report.notes)


def test_image_file_of_the_same_size_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(image())
    write(tmp_path / "a.json", imageData=base64.b64encode(image(kind="JPEG")).decode())
    assert only(tmp_path).media.bytes == image()


def test_size_is_that_of_image_data_if_the_file_has_none(tmp_path: Path) -> None:
    text = base64.b64encode(image(33, 22)).decode()
    write(tmp_path / "a.json", imageData=text, imageHeight=None, imageWidth=None)
    assert only(tmp_path).media.size == (22, 33)


def test_mask_takes_the_size_of_the_image_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(image(33, 22))
    pixel = shape("mask", [[1, 2], [1, 2]], mask=png(np.ones((1, 1), np.uint8)))
    write(tmp_path / "a.json", pixel, imageHeight=None, imageWidth=None)
    (mask,) = only(tmp_path).annotations
    assert isinstance(mask, Mask)
    assert mask.rle["size"] == [22, 33]


def test_image_data_can_be_embedded(tmp_path: Path) -> None:
    item = DatasetItem("a", image=np.zeros((6, 8, 3), np.uint8))
    Dataset.from_iterable([item]).export(tmp_path / "out", "labelme", image_data=True)
    form = json.loads((tmp_path / "out/a.json").read_text())
    assert PilImage.open(BytesIO(base64.b64decode(form["imageData"]))).size == (8, 6)
    assert only(tmp_path / "out").image == item.image


def test_groups_survive_and_group_zero_is_a_group(tmp_path: Path) -> None:
    ids = [0, 0, 5, None, "left"]
    write(tmp_path / "a.json", *[shape("point", [[1, n]], group_id=group) for n, group in enumerate(ids)])
    assert [one.group for one in only(tmp_path).annotations] == [6, 6, 5, 0, 7]


def test_parts_of_a_polygon_become_shapes_of_one_group(tmp_path: Path) -> None:
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 60, "width": 80}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{
            "id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 8, 8], "area": 20, "iscrowd": 0,
            "segmentation": [[1, 1, 5, 1, 5, 5], [6, 6, 9, 6, 9, 9]],
        }],
    }  # fmt: skip
    (tmp_path / "instances_x.json").write_text(json.dumps(coco))
    dataset = Dataset.import_from(tmp_path / "instances_x.json", "coco")
    dataset.export(tmp_path / "out", "labelme")
    shapes = json.loads((tmp_path / "out/x/a.json").read_text())["shapes"]
    assert [one["points"][0] for one in shapes] == [[1, 1], [6, 6]]
    assert shapes[0]["group_id"] == shapes[1]["group_id"] is not None


def test_flags_are_labels_of_the_image_or_attributes(tmp_path: Path) -> None:
    write(tmp_path / "a.json", flags={"__ignore__": False, "day": False, "night": True})
    dataset = read(tmp_path)
    (label,) = next(iter(dataset)).annotations
    assert (label.type.name, label.label) == ("label", 1)
    dataset.export(tmp_path / "out", "labelme")
    assert json.loads((tmp_path / "out/a.json").read_text())["flags"] == {"night": True}
    assert only(tmp_path / "a.json", flags="attributes").attributes == {
        "__ignore__": False, "day": False, "night": True,
    }  # fmt: skip


def test_labels_keep_the_order_of_labels_txt(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ndog\ncat\n")
    write(tmp_path / "a.json", shape("point", [[1, 2]]), shape("point", [[1, 2]], "bird"))
    dataset = read(tmp_path)
    labels = [item.name for item in next(iter(dataset.categories().values())).items]
    assert labels == ["_background_", "dog", "cat", "bird"]
    assert [one.label for one in next(iter(dataset)).annotations] == [2, 3]


def test_images_without_a_file_are_items(tmp_path: Path) -> None:
    write(tmp_path / "a.json", shape("point", [[1, 2]]))
    for name in ("a.png", "b.PNG", "c/d.rgb.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(image())
    dataset = read(tmp_path)
    assert [(item.id, len(item.annotations), item.status) for item in dataset] == [
        ("a", 1, "annotated"), ("b", 0, None), ("c/d.rgb", 0, None),
    ]  # fmt: skip


def test_same_names_in_several_folders_are_items_of_their_own(tmp_path: Path) -> None:
    for folder, size in (("one", 10), ("two", 20), ("two/deep", 30)):
        write(tmp_path / folder / "0001.json", shape("point", [[size, 2]]))
        (tmp_path / folder / "0001.png").write_bytes(image(size))
    dataset = read(tmp_path)
    assert {item.id: (item.annotations[0].points[0], item.media.size) for item in dataset} == {
        "one/0001": (10, (60, 80)), "two/0001": (20, (60, 80)), "two/deep/0001": (30, (60, 80)),
    }  # fmt: skip
    assert {item.id: item.media.bytes == image(size) for item, size in zip(dataset, (10, 20, 30), strict=True)} == {
        "one/0001": True, "two/0001": True, "two/deep/0001": True,
    }  # fmt: skip
    dataset.export(tmp_path / "out", "labelme", save_media=True)
    assert (tmp_path / "out/two/deep/0001.png").read_bytes() == image(30)


def test_images_and_files_may_be_in_folders_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "labels/train/x.y.json", imagePath="..\\..\\images\\train\\x.y.png")
    write(tmp_path / "labels/val/x.y.json", imagePath="C:\\Users\\me\\x.y.png")
    for place in ("train", "val"):
        (tmp_path / "images" / place).mkdir(parents=True)
    (tmp_path / "images/train/x.y.png").write_bytes(image())
    dataset = read(tmp_path)
    assert [(item.subset, item.id) for item in dataset] == [("train", "x.y"), ("val", "x.y")]
    assert dataset.get("x.y", "train").media.bytes == image()  # type: ignore[union-attr]


def test_the_folder_of_the_images_can_be_given(tmp_path: Path) -> None:
    write(tmp_path / "json/1.json", imagePath="/home/me/1.png")
    for place, width in (("left", 10), ("right", 20)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "1.png").write_bytes(image(width))
    by_id = {item.id: item for item in read(tmp_path, images="right")}
    assert by_id["1"].media.bytes == image(20)
    assert not {item.id: item for item in read(tmp_path)}["1"].media.has_data  # two files could be meant


def test_paths_never_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(image())
    write(tmp_path / "in/a.json", imagePath="../secret.png")
    assert not only(tmp_path / "in").media.has_data


def test_unicode_names_match_in_any_normal_form(tmp_path: Path) -> None:
    write(tmp_path / "u\u0308.json", shape("point", [[1, 2]], "테스트"), imagePath="\u00fc.png")
    (tmp_path / "\u00fc.png").write_bytes(image())
    dataset = read(tmp_path)
    assert len(dataset) == 1
    assert next(iter(dataset)).media.bytes == image()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("default", "cars/x")),
        ({"subsets": "folders"}, ("cars", "x")),
        ({"subsets": "none"}, ("default", "cars/x")),
    ],
)
def test_the_first_folder_is_a_subset_if_asked_or_named_so(
    tmp_path: Path, options: dict[str, str], expected: tuple[str, str]
) -> None:
    write(tmp_path / "cars/x.json")
    write(tmp_path / "train2017/x.json")
    found = [(item.subset, item.id) for item in read(tmp_path, **options)]
    second = ("default", "train2017/x") if options.get("subsets") == "none" else ("train2017", "x")
    assert found == [expected, second]


def test_old_and_foreign_files_are_read(tmp_path: Path) -> None:
    old = write(
        tmp_path / "old.json", {"label": "cat", "points": [[1, 2], [3, 4], [5, 7]], "line_color": None},
        lineColor=[0, 255, 0, 128], fillColor=[255, 0, 0, 128],
    )  # fmt: skip
    (polygon,) = only(old).annotations
    assert polygon == Polygon([1, 2, 3, 4, 5, 7], label=0)
    corners = [[20, 10], [20, 50], [10, 50], [10, 10]]
    new = write(
        tmp_path / "new.json",
        shape("rotation", corners, score=0.5, difficult=True, attributes={"colour": "red"}, kie_linking=[]),
        shape("rectangle", [[1, 2], [5, 2], [5, 9], [1, 9]]),
    )
    rotated, box = only(new).annotations
    assert rotated.attributes == {"colour": "red", "difficult": True, "kie_linking": []}
    assert rotated.score == 0.5
    assert isinstance(rotated, Bbox)
    assert np.allclose(rotated.get_points(), corners)
    assert box == Bbox(1, 2, 4, 7, label=0)


def test_rotated_boxes_become_polygons_and_other_ellipses_are_counted(tmp_path: Path) -> None:
    item = DatasetItem(
        "a", annotations=[Bbox(10, 20, 40, 10, rotation=90, label=0), Ellipse(0, 0, 10, 20, label=0)]
    )
    report = Dataset.from_iterable([item], categories=["cat"]).export(tmp_path / "out", "labelme")
    assert report.lost == {"rotation angles": 1, "ellipses that are no circles": 1}
    (polygon,) = only(tmp_path / "out").annotations
    assert np.allclose(polygon.points, [35, 5, 35, 45, 25, 45, 25, 5])


def test_crowds_scores_and_attributes_of_items_survive(tmp_path: Path) -> None:
    box = Bbox(1, 2, 3, 4, label=0, attributes={"is_crowd": True})
    item = DatasetItem("a", attributes={"camera": "left", "id": 3}, annotations=[box])
    Dataset.from_iterable([item], categories=["cat"]).export(tmp_path / "out", "labelme")
    found = only(tmp_path / "out")
    assert found.attributes == item.attributes
    assert found.annotations == item.annotations


def test_masks_with_holes_and_empty_ones_are_equal_bit_for_bit(tmp_path: Path) -> None:
    first = np.zeros((60, 80), bool)
    first[5:20, 70:80], first[8:10, 72:75], first[59, 0] = True, False, True
    annotations = [
        Mask(first, label=0),
        Mask(np.zeros((60, 80), bool), label=0),
        Mask(np.ones((60, 80), bool), label=0),
    ]
    Dataset.from_iterable(
        [DatasetItem("a", annotations=annotations, image=np.zeros((60, 80, 3), np.uint8))], ["cat"]
    ).export(tmp_path / "out", "labelme")
    found = only(tmp_path / "out").annotations
    assert [one.rle for one in found] == [one.rle for one in annotations]  # type: ignore[attr-defined]


TRIANGLE = [[1, 2], [3, 4], [5, 7]]
WRONG = [
    (shape("polygon", [[1, 2], [3, 4]]), "points", "a polygon has 2 points; it must have 3 or more"),
    (shape("polygon", [[1, 2, 3], [4, 5, 6], [7, 8, 9]]), "points", "must be pairs of numbers"),
    (shape("polygon", [[1, 2], [3, "4"], [5, 6]]), "points", "must be pairs of numbers"),
    (shape("polygon", None), "points", "must be pairs of numbers"),
    (shape("circle", TRIANGLE), "points", "a circle has 3 points; it must have 2"),
    (shape("rectangle", TRIANGLE), "points", "3 points are no rectangle"),
    (shape("star", TRIANGLE), "shape_type", "there is no shape 'star'"),
    (shape("polygon", TRIANGLE, 5), "label", "it must be text"),
    (shape("polygon", TRIANGLE, group_id=[1]), "group_id", "must be a whole number"),
    (shape("polygon", TRIANGLE, flags=[1]), "flags", "must be a map"),
    (shape("polygon", TRIANGLE, score="high"), "score", "must be a number"),
    (shape("points", TRIANGLE, visibility=[1]), "visibility", "for each of 3 points"),
    (shape("mask", [[1, 2], [3, 4]], mask=None), "mask", "no image file in base 64"),
    (shape("mask", [[1, 2], [3, 4]], mask="AAAA"), "mask", "no image file in base 64"),
    (shape("mask", [[79, 2], [80, 2]], mask=png(np.ones((1, 2), np.uint8))), "mask", "do not fit"),
    (7, "", "must be a map"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "field", "message"), WRONG)
def test_shapes_that_make_no_sense_are_named_and_left_out(
    tmp_path: Path, wrong: Any, field: str, message: str
) -> None:
    path = write(tmp_path / "a.json", shape("polygon", TRIANGLE), wrong)
    place = f"{path}, shape 2" + (f", field '{field}'" if field else "")
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(place)
    assert len(only(tmp_path, on_error="skip").annotations) == 1


def test_mask_without_a_known_size_is_named(tmp_path: Path) -> None:
    pixel = shape("mask", [[1, 2], [1, 2]], mask=png(np.ones((1, 1), np.uint8)))
    write(tmp_path / "a.json", pixel, imageHeight=None, imageWidth=None)
    with pytest.raises(FormatError, match="height and width of the image, which are unknown"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"imageData": "AAAA"}, "field 'imageData': it is no image file in base 64"),
        ({"imageHeight": -1}, "must be numbers of pixels"),
        ({"imagePath": 5}, "field 'imagePath': it is 5; it must be text"),
        ({"flags": [1]}, "field 'flags'.* must be a map"),
    ],
)
def test_values_of_a_file_that_make_no_sense_are_named(tmp_path: Path, more: Any, message: str) -> None:
    write(tmp_path / "a.json", **more)
    with pytest.raises(FormatError, match=message):
        read(tmp_path)
    assert only(tmp_path, on_error="skip").id == "a"


def test_broken_json_names_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"version": "5",\n "shapes": [}\n')
    with pytest.raises(FormatError, match=r"a\.json, line 2, column 13: it is not valid JSON"):
        read(tmp_path)
    write(tmp_path / "b.json")
    assert only(tmp_path, on_error="skip").id == "b"


def test_other_json_files_are_noted(tmp_path: Path) -> None:
    write(tmp_path / "a.json")
    (tmp_path / "coco.json").write_text('{"images": []}')
    assert read(tmp_path).report.notes == ["1 JSON files without shapes were left out"]


def test_a_folder_without_files_of_labelme_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(FormatError, match="has no JSON files of labelme"):
        read(tmp_path)
    assert "labelme" not in [one.format for one in Dataset.detect(tmp_path)]


numbers = st.floats(-50, 150).map(lambda value: round(value, 6))
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(numbers, min_size=6, max_size=12).map(lambda one: one[: len(one) // 2 * 2]), max_size=4
    ),
    words,
    st.dictionaries(words, st.one_of(st.booleans(), st.integers(-9, 9), st.floats(-1, 1), words), max_size=3),
)
def test_any_polygons_labels_and_attributes_survive(
    tmp_path_factory: pytest.TempPathFactory,
    polygons: list[list[float]],
    label: str,
    attributes: dict[str, Any],
) -> None:
    folder = tmp_path_factory.mktemp("any")
    annotations = [Polygon(points, label=0, attributes=attributes) for points in polygons]
    Dataset.from_iterable([DatasetItem("a", annotations=annotations)], [label]).export(
        folder / "out", "labelme"
    )
    dataset = read(folder / "out")
    assert next(iter(dataset)).annotations == annotations
    if annotations:
        assert next(iter(dataset.categories().values())).items[0].name == label


def test_polygons_are_rasterised_as_pycocotools_does(tmp_path: Path) -> None:
    points = [[10.6, 10.6], [30.6, 10.6], [30.6, 25.7], [10.6, 25.7]]
    write(tmp_path / "in/a.json", shape("polygon", points))
    read(tmp_path / "in").export(tmp_path / "out", "coco", segmentation_mode="mask")
    (mask,) = next(iter(Dataset.import_from(tmp_path / "out", "coco"))).annotations
    assert isinstance(mask, RleMask)
    assert mask.rle == masks.from_polygons([np.ravel(points)], 60, 80)
