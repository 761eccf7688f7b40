"""LabelMe's XML: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage

from ddfast.annotated import Bbox, Dataset, DatasetItem, Mask, Polygon
from ddfast.errors import FormatError
from ddfast.formats.label_me.attributes import attributes_in, attributes_line
from ddfast.formats.label_me.objects import date_text, iso_date
from ddfast.testing.formats import FormatTests


class TestLabelMe(FormatTests):
    format = "label_me"


WEB_TOOL = """<annotation>
<filename>
img1.png
</filename><folder>example_folder</folder>
<source><sourceImage>The MIT-CSAIL database of objects and scenes</sourceImage>
<sourceAnnotation>LabelMe Webtool</sourceAnnotation></source>
<imagesize><nrows>77</nrows><ncols>102</ncols></imagesize>
<object><name>
window
</name><deleted>0</deleted><verified>1</verified><occluded>no</occluded><attributes></attributes>
<parts><hasparts></hasparts><ispartof></ispartof></parts><date>25-May-2012 00:09:48</date><id>0</id>
<polygon><username>admin</username>
<pt><x>43</x><y>34.25</y></pt><pt><x>45</x><y>34</y></pt><pt><x>45</x><y>37</y></pt></polygon></object>
<object><name>license plate</name><deleted>0</deleted><verified>0</verified><occluded>yes</occluded>
<attributes>parked, count=3, "odd"=1.5, name="12", plate=a\\,b\\=c, open=True</attributes>
<parts><hasparts>3</hasparts><ispartof></ispartof></parts><date></date><id>1</id>
<segm><username>brussell</username><box><xmin>3</xmin><ymin>0</ymin><xmax>6</xmax><ymax>5</ymax></box>
<mask>img1_mask_1.png</mask><scribbles><xmin>0</xmin><ymin>0</ymin><xmax>9</xmax><ymax>9</ymax>
<scribble_name>img1_scribble_1.png</scribble_name></scribbles></segm></object>
<object><name>o1</name><deleted>1</deleted><verified>0</verified><occluded>no</occluded><id>2</id>
<polygon><username>anonymous</username><pt><x>1</x><y>1</y></pt></polygon></object>
<object><name>b1</name><deleted>0</deleted><verified>0</verified><occluded>no</occluded>
<parts><hasparts></hasparts><ispartof>1</ispartof></parts><id>3</id><type>bounding_box</type>
<polygon><username>anonymous</username><pt><x>13</x><y>49.5</y></pt><pt><x>20</x><y>49.5</y></pt>
<pt><x>20</x><y>61</y></pt><pt><x>13</x><y>61</y></pt></polygon></object>
</annotation>
"""


def save(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PilImage.fromarray(np.asarray(pixels, np.uint8)).save(path)


@pytest.fixture
def web_tool(tmp_path: Path) -> Path:
    """A folder as the web tool lays it out."""
    folder = tmp_path / "in"
    mask = np.zeros((77, 102, 4), np.uint8)
    mask[2:5, 3:6] = (255, 203, 0, 153)
    save(folder / "Masks/example_folder/img1_mask_1.png", mask)
    save(folder / "Scribbles/example_folder/img1_scribble_1.png", mask[::-1])
    save(folder / "Images/example_folder/img1.png", np.zeros((77, 102, 3)))
    (folder / "Annotations/example_folder").mkdir(parents=True)
    (folder / "Annotations/example_folder/img1.xml").write_text(WEB_TOOL, "utf-8")
    return folder


def read(folder: Path, **options: Any) -> Dataset:
    return Dataset.import_from(folder, "label_me", **options)


def only(folder: Path, **options: Any) -> DatasetItem:
    (item,) = read(folder, **options)
    return item


def xml(folder: Path, *objects: str, head: str = "<filename>a.jpg</filename><folder>train</folder>") -> Path:
    path = folder / "Annotations/train/a.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotation>\n{head}\n" + "\n".join(objects) + "</annotation>", "utf-8")
    return path


def polygon(*points: Any, rest: str = "") -> str:
    listed = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in points)
    return f"<object><name>cat</name><polygon>{listed}</polygon>{rest}</object>"


TRIANGLE = [(1, 2), (3, 4), (5, 7)]


def test_a_file_of_the_web_tool_has_its_exact_values(web_tool: Path) -> None:
    dataset = read(web_tool)
    (item,) = dataset
    assert (item.id, item.subset, item.media.size, item.status) == (
        "img1",
        "example_folder",
        (77, 102),
        "annotated",
    )
    assert item.media.bytes == (web_tool / "Images/example_folder/img1.png").read_bytes()
    window, plate, box = item.annotations
    assert [label.name for label in next(iter(dataset.categories().values())).items] == [
        "window", "license plate", "b1",
    ]  # fmt: skip
    assert window == Polygon(
        [43, 34.25, 45, 34, 45, 37], label=0, attributes={"occluded": False, "verified": True},
        author="admin", created="2012-05-25T00:09:48",
    )  # fmt: skip
    assert box == Bbox(
        13, 49.5, 7, 11.5, label=2, id=3, group=1, attributes={"occluded": False}, author="anonymous"
    )
    assert plate.attributes == {
        "parked": True, "count": 3, '"odd"': 1.5, "name": "12", "plate": "a,b=c", "open": True, "occluded": True,
    }  # fmt: skip
    assert isinstance(plate, Mask)
    assert (plate.id, plate.group, plate.author) == (1, 1, "brussell")
    expected = np.zeros((77, 102), bool)
    expected[2:5, 3:6] = True
    assert np.array_equal(plate.image, expected)
    assert dataset.report.notes == ["1 objects that were deleted were left out", "1 scribbles were left out"]


def test_deleted_objects_and_scribbles_are_read_if_asked(web_tool: Path) -> None:
    with pytest.raises(FormatError, match="a polygon has 1 points"):
        read(web_tool, deleted=True)
    item = only(web_tool, scribbles=True)
    plate, scribble = item.annotations[1:3]
    assert (scribble.label, scribble.group, scribble.attributes["scribble"]) == (
        plate.label,
        plate.group,
        True,
    )
    assert isinstance(scribble, Mask)
    assert scribble.get_bbox() == [3, 72, 3, 3]
    xml(web_tool / "x", polygon(*TRIANGLE, rest="<deleted>1</deleted>"))
    (deleted,) = only(web_tool / "x", deleted=True).annotations
    assert deleted.status == "deleted"


def test_written_files_are_equal_after_a_round_trip(web_tool: Path, tmp_path: Path) -> None:
    before = read(web_tool)
    before.export(tmp_path / "one", "label_me", save_media=True)
    after = read(tmp_path / "one")
    assert next(iter(after)).annotations == next(iter(before)).annotations
    assert [(one.author, one.created) for one in next(iter(after)).annotations] == [
        ("admin", "2012-05-25T00:09:48"), ("brussell", None), ("anonymous", None),
    ]  # fmt: skip
    text = (tmp_path / "one/Annotations/example_folder/img1.xml").read_text("utf-8")
    assert "<date>25-May-2012 00:09:48</date>" in text
    assert "<parts><hasparts>3</hasparts><ispartof></ispartof></parts>" in text
    assert "<pt><x>43.0</x><y>34.25</y></pt>" in text
    assert sorted(path.name for path in (tmp_path / "one/Masks/example_folder").iterdir()) == [
        "img1_mask_1.png"
    ]


def test_opaque_and_grey_masks_are_read(tmp_path: Path) -> None:
    shown = np.zeros((4, 6), np.uint8)
    shown[1, 2] = 7
    opaque = np.dstack([shown, shown, shown, np.full_like(shown, 255)])
    save(tmp_path / "Masks/train/grey.png", shown)
    save(tmp_path / "Masks/opaque.png", opaque)
    xml(tmp_path, *[f"<object><segm><mask>{name}.png</mask></segm></object>" for name in ("grey", "opaque")])
    for mask in only(tmp_path).annotations:
        assert isinstance(mask, Mask)
        assert mask.get_bbox() == [2, 1, 1, 1]
        assert mask.label is None


def test_objects_with_equal_or_no_ids_are_all_kept(tmp_path: Path) -> None:
    xml(
        tmp_path,
        polygon(*TRIANGLE, rest="<id>1</id>"),
        polygon(*TRIANGLE, rest="<id>1</id>"),
        polygon(*TRIANGLE),
    )
    assert [one.id for one in only(tmp_path).annotations] == [1, 1, 0]
    read(tmp_path).export(tmp_path / "out", "label_me")
    assert [one.id for one in only(tmp_path / "out").annotations] == [0, 1, 2]


def test_parts_that_do_not_exist_do_not_count(tmp_path: Path) -> None:
    parts = "<id>{}</id><parts><hasparts>{}</hasparts><ispartof>{}</ispartof></parts>"
    links = [(0, "9", ""), (1, "2, 3", ""), (2, "", "1"), (3, "4", "1"), (4, "", "")]
    xml(tmp_path, *[polygon(*TRIANGLE, rest=parts.format(*link)) for link in links])
    assert [one.group for one in only(tmp_path).annotations] == [0, 1, 1, 1, 1]


def test_parts_of_polygons_become_objects_that_belong_together(tmp_path: Path) -> None:
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 60, "width": 80}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "segmentation": [[1, 1, 5, 1, 5, 5], [6, 6, 9, 6, 9, 9]],
            }
        ],
    }
    (tmp_path / "instances_x.json").write_text(json.dumps(coco))
    report = Dataset.import_from(tmp_path / "instances_x.json", "coco").export(tmp_path / "out", "label_me")
    assert report.counts["annotations"] == 1
    found = only(tmp_path / "out").annotations
    assert [one.points for one in found] == [[1, 1, 5, 1, 5, 5], [6, 6, 9, 6, 9, 9]]  # type: ignore[attr-defined]
    assert [one.group for one in found] == [1, 1]


def test_rotated_boxes_become_polygons(tmp_path: Path) -> None:
    item = DatasetItem("a", annotations=[Bbox(10, 20, 40, 10, rotation=90, label=0)])
    report = Dataset.from_iterable([item], categories=["cat"]).export(tmp_path / "out", "label_me")
    assert report.lost == {"rotation angles": 1}
    (polygon,) = only(tmp_path / "out").annotations
    assert isinstance(polygon, Polygon)
    assert np.allclose(polygon.points, [35, 5, 35, 45, 25, 45, 25, 5])


def test_same_names_in_several_folders_keep_their_images_and_masks(tmp_path: Path) -> None:
    mask = np.zeros((5, 5), bool)
    items = []
    for place, name in enumerate(["x", "one/x", "two/x", "x.rgb"]):
        shown = mask.copy()
        shown[place, place] = True
        items += [
            DatasetItem(
                name,
                subset=subset,
                annotations=[Mask(shown)],
                image=np.full((5, 5), place + len(subset), np.uint8),
            )
            for subset in ("a", "bc")
        ]
    before = Dataset.from_iterable(items)
    before.export(tmp_path / "out", "label_me", save_media=True)
    after = read(tmp_path / "out")
    assert len(after) == 8
    for item in before:
        found = after.get(item.id, item.subset)
        assert found is not None
        assert found.image == item.image
        assert found.annotations[0].rle == item.annotations[0].rle  # type: ignore[attr-defined]


def test_files_that_claim_the_same_item_stay_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        path = tmp_path / f"Annotations/{name}.xml"
        path.parent.mkdir(exist_ok=True)
        path.write_text("<annotation><filename>x.jpg</filename><folder>f</folder></annotation>")
    assert [item.id for item in read(tmp_path)] == ["x", "b"]


def test_images_without_a_file_are_items(web_tool: Path) -> None:
    for name in ("example_folder/deep/b.JPG", "other/c.d.png"):
        save(web_tool / "Images" / name, np.zeros((3, 3, 3)))
    assert sorted((item.subset, item.id, len(item.annotations)) for item in read(web_tool)) == [
        ("example_folder", "deep/b", 0), ("example_folder", "img1", 3), ("other", "c.d", 0),
    ]  # fmt: skip


def test_names_of_files_are_matched_in_any_case_and_with_any_separator(tmp_path: Path) -> None:
    xml(tmp_path, head="<filename>sub\\\u00fc.JPG</filename><folder>train</folder>")
    save(tmp_path / "Images/train/sub/u\u0308.jpg", np.zeros((3, 3, 3)))
    item = only(tmp_path)
    assert item.id == "sub/\u00fc"
    assert item.media.has_data


def test_paths_never_leave_the_folder(tmp_path: Path) -> None:
    save(tmp_path / "secret.png", np.ones((3, 3)))
    mask = "<object><segm><mask>../../secret.png</mask></segm></object>"
    xml(tmp_path / "in", mask, head="<filename>../../secret.png</filename><folder>../x</folder>")
    with pytest.raises(FormatError, match=r"there is no file '../../secret.png' in Masks"):
        read(tmp_path / "in")
    assert not only(tmp_path / "in", on_error="skip").media.has_data


def test_labels_keep_their_order_and_unused_ones_stay(tmp_path: Path) -> None:
    items = [DatasetItem("a", annotations=[Bbox(1, 2, 3, 4, label=2)])]
    Dataset.from_iterable(items, ["x", "y", "z"]).export(tmp_path / "out", "label_me")
    dataset = read(tmp_path / "out")
    assert [label.name for label in next(iter(dataset.categories().values())).items] == ["x", "y", "z"]
    Dataset.from_iterable(items, ["x", "y", "z"]).export(
        tmp_path / "bare", "label_me", save_dataset_meta=False
    )
    assert [path.name for path in (tmp_path / "bare").iterdir()] == ["Annotations"]


def test_labels_of_another_form_are_named(tmp_path: Path) -> None:
    xml(tmp_path)
    (tmp_path / "dataset_meta.json").write_text('{"labels": [1]}')
    with pytest.raises(FormatError, match=r"dataset_meta\.json, field 'labels'"):
        read(tmp_path)
    (tmp_path / "dataset_meta.json").write_text('{"label_map": {"0": "x"}}')
    assert [label.name for label in next(iter(read(tmp_path).categories().values())).items] == ["x"]


WRONG = [
    (polygon((1, 2), (3, 4)), "polygon", "a polygon has 2 points; it must have 3 or more"),
    (polygon((1, 2), (3, "four"), (5, 6)), "pt", "y of a point is 'four'"),
    (polygon((1, 2), (3, "inf"), (5, 6)), "pt", "y of a point is 'inf'"),
    ("<object><polygon><pt><x>1</x></pt></polygon></object>", "pt", "y of a point is None"),
    (polygon(*TRIANGLE, rest="<id>one</id>"), "id", "must be a whole number"),
    (polygon(*TRIANGLE, rest="<id>7</id><parts><hasparts>x</hasparts></parts>"), "parts", "ids of objects"),
    ("<object><name>x</name></object>", "object", "neither a polygon nor a segm"),
    ("<object><segm><mask>gone.png</mask></segm></object>", "mask", "there is no file 'gone.png' in Masks"),
    ("<object><segm><mask>bad.png</mask></segm></object>", "mask", "cannot be read as an image"),
]


@pytest.mark.parametrize(("wrong", "field", "message"), WRONG)
def test_objects_that_make_no_sense_are_named_and_left_out(
    tmp_path: Path, wrong: str, field: str, message: str
) -> None:
    (tmp_path / "Masks").mkdir()
    (tmp_path / "Masks/bad.png").write_bytes(b"no image")
    path = xml(tmp_path, polygon(*TRIANGLE), wrong)
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{path}, line 4, field '{field}'")
    assert len(only(tmp_path, on_error="skip").annotations) == 1


def test_broken_files_and_sizes_are_named(tmp_path: Path) -> None:
    path = xml(tmp_path, "<object>")
    with pytest.raises(FormatError, match=r"a\.xml: line 3: the file is not valid XML"):
        read(tmp_path)
    path.write_text('<!DOCTYPE a [<!ENTITY e "x">]><annotation><filename>&e;</filename></annotation>')
    with pytest.raises(FormatError, match="declares entities"):
        read(tmp_path)
    xml(tmp_path, head="<filename>a.jpg</filename>\n<imagesize><nrows>-1</nrows><ncols>2</ncols></imagesize>")
    with pytest.raises(FormatError, match=r"a\.xml, line 3, field 'nrows': it is '-1'"):
        read(tmp_path)
    assert only(tmp_path, on_error="skip").id == "a"


def test_characters_that_xml_cannot_hold_are_refused(tmp_path: Path) -> None:
    dataset = Dataset.from_iterable([DatasetItem("a", annotations=[Bbox(1, 2, 3, 4, label=0)])], ["a\0"])
    with pytest.raises(FormatError, match="XML cannot hold the character"):
        dataset.export(tmp_path / "out", "label_me")


def test_a_folder_of_other_xml_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("<html/>")
    with pytest.raises(FormatError, match="has no XML files of LabelMe"):
        read(tmp_path)
    (tmp_path / "x.xml").write_text(
        "<annotation><source/><object><name>a</name><bndbox><xmin>1</xmin></bndbox></object></annotation>"
    )
    assert "label_me" not in [one.format for one in Dataset.detect(tmp_path)]


def test_dates_are_iso_8601() -> None:
    assert iso_date("01-mar-1999 23:59:01") == "1999-03-01T23:59:01"
    assert date_text("1999-03-01T23:59:01") == "01-Mar-1999 23:59:01"
    assert iso_date("2024-05-17T08:30:00Z") == "2024-05-17T08:30:00Z"
    assert [iso_date(text) for text in ("yesterday", "31-Feb-2000 00:00:00", "01-Foo-2000 00:00:00")] == [
        None
    ] * 3


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
values = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(words.filter(lambda word: word.strip() == word), values, max_size=4))
def test_any_attributes_survive(attributes: dict[str, Any]) -> None:
    found = attributes_in(attributes_line(attributes))
    assert found == attributes
    assert [type(value) for value in found.values()] == [type(value) for value in attributes.values()]


numbers = st.floats(-1e6, 1e6)
allowed = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(numbers, min_size=6, max_size=12).map(lambda one: one[: len(one) // 2 * 2]), max_size=4
    ),
    st.text(allowed, min_size=1, max_size=8).filter(lambda text: text.strip() == text),
    st.text(allowed, max_size=8),
)
def test_any_polygons_and_labels_survive(
    tmp_path_factory: pytest.TempPathFactory, polygons: list[list[float]], label: str, value: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    annotations = [
        Polygon(points, label=0, id=place, attributes={"x": value}) for place, points in enumerate(polygons)
    ]
    Dataset.from_iterable([DatasetItem("a", annotations=annotations)], [label]).export(
        folder / "out", "label_me"
    )
    dataset = read(folder / "out")
    assert next(iter(dataset)).annotations == annotations
    assert next(iter(dataset.categories().values())).items[0].name == label
