"""Pascal VOC: what is read, what is written, and what other tools write."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from ddfast.annotated import (
    AnnotationType,
    Bbox,
    Dataset,
    DatasetItem,
    Label,
    Mask,
    MaskCategories,
    Polygon,
)
from ddfast.annotated.colors import voc_color
from ddfast.errors import FormatError, FormatOptionError
from ddfast.formats.voc.label_map import parse_label_map, parse_line
from ddfast.formats.voc.objects import add_decimals
from ddfast.formats.voc.values import attribute_element, typed
from ddfast.testing.formats import FormatTests


class TestVoc(FormatTests):
    format = "voc"


class TestVocDetection(FormatTests):
    format = "voc_detection"


class TestVocSegmentation(FormatTests):
    format = "voc_segmentation"


class TestVocClassification(FormatTests):
    format = "voc_classification"


class TestVocAction(FormatTests):
    format = "voc_action"


class TestVocLayout(FormatTests):
    format = "voc_layout"


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def png(folder: Path, name: str, pixels: np.ndarray, mode: str | None = None, colors: bytes = b"") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = PIL.Image.fromarray(pixels, mode)
    if colors:
        image.putpalette(colors)
    image.save(path)


def box_xml(name: str, corners: Any = (1, 2, 3, 4), more: str = "") -> str:
    inner = "".join(f"<{n}>{v}</{n}>" for n, v in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    return f"<object>\n<name>{name}</name>\n{more}<bndbox>{inner}</bndbox></object>\n"


def xml(*objects: str, filename: str = "") -> str:
    head = f"<filename>{filename}</filename>\n" if filename else ""
    return f"<annotation>\n{head}{''.join(objects)}</annotation>\n"


def names(dataset: Dataset) -> list[str]:
    return [item.name for item in dataset.categories()[AnnotationType.label].items]


def boxes(dataset: Dataset, id: str, subset: str = "train") -> list[tuple[str, list[float]]]:
    found = dataset.get(id, subset)
    return [(names(dataset)[one.label], one.points) for one in found.annotations if isinstance(one, Bbox)]


GOLDEN = """<annotation>
  <folder>VOC2012</folder>
  <filename>2007_000001.jpg</filename>
  <size><width>500</width><height>375</height><depth>3</depth></size>
  <segmented>1</segmented>
  <object>
    <name>person</name>
    <pose>Frontal</pose>
    <truncated>1</truncated>
    <occluded>0</occluded>
    <difficult>0</difficult>
    <bndbox><xmax>45</xmax><xmin>12</xmin><ymax>120.5</ymax><ymin>20.25</ymin></bndbox>
    <part><name>head</name><bndbox><xmin>15</xmin><ymin>21</ymin><xmax>25</xmax><ymax>31</ymax></bndbox></part>
    <part><name>foot</name><bndbox><xmin>15</xmin><ymin>91</ymin><xmax>20</xmax><ymax>95</ymax></bndbox></part>
    <actions><jumping>1</jumping><walking>0</walking></actions>
    <point><x>30</x><y>40.5</y></point>
  </object>
  <object>
    <name>cat</name>
    <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>5</ymax></bndbox>
    <difficult>1</difficult>
  </object>
</annotation>
"""


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """A small dataset in the layout of VOC 2012."""
    root = tmp_path / "VOC2012"
    put(root, "Annotations/2007_000001.xml", GOLDEN)
    put(root, "ImageSets/Main/train.txt", "2007_000001\n2007_000002\n")
    put(root, "ImageSets/Main/trainval.txt", "2007_000001\n2007_000002\n2007_000003\n")
    for subset in ("train", "trainval"):
        put(root, f"ImageSets/Main/cat_{subset}.txt", "2007_000001  1\n2007_000002 -1\n")
        put(root, f"ImageSets/Main/person_{subset}.txt", "2007_000001  0\n2007_000002  1\n")
    put(root, "ImageSets/Layout/train.txt", "2007_000001  1\n")
    put(root, "ImageSets/Action/train.txt", "2007_000001  1\n")
    put(root, "ImageSets/Action/jumping_train.txt", "2007_000001  1  1\n")
    put(root, "ImageSets/Segmentation/train.txt", "2007_000001\n")
    classes, objects = np.zeros((375, 500), np.uint8), np.zeros((375, 500), np.uint8)
    classes[30:40, 50:60], objects[30:40, 50:60] = 15, 1
    classes[32:34, 52:54], objects[32:34, 52:54] = 0, 0  # a hole
    classes[100, 100:110], objects[100, 100:110] = 8, 2
    classes[200:203], objects[200:203] = 255, 255  # void
    palette = np.array([voc_color(index) for index in range(256)], np.uint8).tobytes()
    png(root, "SegmentationClass/2007_000001.png", classes, "P", palette)
    png(root, "SegmentationObject/2007_000001.png", objects, "P", palette)
    png(root, "JPEGImages/2007_000001.jpg", np.zeros((375, 500, 3), np.uint8))
    png(root, "JPEGImages/2007_000003.jpg", np.zeros((10, 10, 3), np.uint8))
    return root


class TestGolden:
    def test_items_are_those_of_all_lists_of_each_subset(self, golden: Path) -> None:
        dataset = Dataset.import_from(golden, "voc")
        assert [(item.subset, item.id) for item in dataset] == [
            ("train", "2007_000001"), ("train", "2007_000002"),
            ("trainval", "2007_000001"), ("trainval", "2007_000002"), ("trainval", "2007_000003"),
        ]  # fmt: skip
        assert dataset.get("2007_000003", "trainval").annotations == []
        assert dataset.get("2007_000001", "train").image.size == (375, 500)
        assert dataset.get("2007_000003", "trainval").image.path.endswith("JPEGImages/2007_000003.jpg")

    def test_labels_are_those_of_voc_and_the_parts(self, golden: Path) -> None:
        dataset = Dataset.import_from(golden, "voc")
        assert names(dataset)[:2] == ["background", "aeroplane"]
        assert names(dataset)[20:] == ["tvmonitor", "ignored", "head", "hand", "foot"]
        label = dataset.categories()[AnnotationType.label][15]
        assert (label.name, "jumping" in label.attributes) == ("person", True)
        assert dataset.categories()[AnnotationType.mask][21] == (224, 224, 192)

    def test_boxes(self, golden: Path) -> None:
        item = Dataset.import_from(golden, "voc").get("2007_000001", "train")
        person, head, foot, cat = [one for one in item.annotations if isinstance(one, Bbox)]
        assert [person.x, person.y, person.w, person.h, person.label] == [12, 20.25, 33, 100.25, 15]
        assert person.attributes == {
            "difficult": False, "truncated": True, "occluded": False, "pose": "Frontal", "point": [30.0, 40.5],
            "jumping": True, "walking": False,
        }  # fmt: skip
        assert [head.points, head.label, foot.label] == [[15, 21, 25, 31], 22, 24]
        assert person.group == head.group == foot.group == 1
        assert cat.attributes == {"difficult": True, "truncated": False, "occluded": False}
        assert (cat.points, cat.label, cat.group) == ([1, 2, 3, 5], 8, 2)

    def test_masks_belong_to_the_box_of_the_same_number(self, golden: Path) -> None:
        item = Dataset.import_from(golden, "voc").get("2007_000001", "train")
        person, cat, void = [one for one in item.annotations if isinstance(one, Mask)]
        assert (person.label, person.group, person.get_area()) == (15, 1, 96)
        assert not person.image[33, 53]
        assert person.get_bbox() == [50, 30, 10, 10]
        assert (cat.label, cat.group, cat.get_bbox()) == (8, 2, [100, 100, 10, 1])
        assert (void.label, void.group, void.get_area()) == (21, 255, 1500)

    def test_labels_of_images(self, golden: Path) -> None:
        dataset = Dataset.import_from(golden, "voc_classification")
        found = {item.id: item.annotations for item in dataset.get_subset("train")}
        assert found == {"2007_000001": [Label(8)], "2007_000002": [Label(15)]}

    def test_each_task_reads_its_files_only(self, golden: Path) -> None:
        kinds = {
            task: {
                one.type.name
                for item in Dataset.import_from(golden, f"voc_{task}")
                for one in item.annotations
            }
            for task in ("classification", "detection", "segmentation", "action", "layout")
        }
        assert kinds == {
            "classification": {"label"}, "detection": {"bbox"}, "segmentation": {"mask"}, "action": {"bbox"},
            "layout": {"bbox"},
        }  # fmt: skip
        detection = Dataset.import_from(golden, "voc_detection").get("2007_000001", "train")
        assert len(detection.annotations) == 2
        assert "jumping" not in detection.annotations[0].attributes
        assert names(Dataset.import_from(golden, "voc_detection"))[20:] == ["tvmonitor", "ignored"]
        assert len(Dataset.import_from(golden, "voc_action")) == 1
        assert len(Dataset.import_from(golden, "voc_layout").get("2007_000001", "train").annotations) == 4

    def test_one_list_is_one_subset(self, golden: Path) -> None:
        dataset = Dataset.import_from(golden / "ImageSets/Main/train.txt", "voc_detection")
        assert [(item.subset, item.id) for item in dataset] == [
            ("train", "2007_000001"),
            ("train", "2007_000002"),
        ]
        labels = Dataset.import_from(golden / "ImageSets/Main/train.txt", "voc_classification")
        assert labels.get("2007_000002", "train").annotations == [Label(15)]

    def test_export_gives_equal_annotations_and_masks_of_equal_pixels(
        self, golden: Path, tmp_path: Path
    ) -> None:
        before = Dataset.import_from(golden, "voc")
        before.export(tmp_path / "out", "voc", save_media=True)
        after = Dataset.import_from(tmp_path / "out", "voc")
        assert names(after) == names(before)
        for item in before:
            assert after.get(item.id, item.subset).annotations == item.annotations
        for folder in ("SegmentationClass", "SegmentationObject"):
            old, new = (
                PIL.Image.open(root / folder / "2007_000001.png") for root in (golden, tmp_path / "out")
            )
            assert np.array_equal(np.asarray(old), np.asarray(new))
            assert np.array_equal(np.asarray(old.convert("RGB")), np.asarray(new.convert("RGB")))
        assert (tmp_path / "out/ImageSets/Layout/train.txt").read_text() == "2007_000001  1\n"
        assert (tmp_path / "out/ImageSets/Action/jumping_train.txt").read_text() == "2007_000001 1  1\n"
        assert (
            tmp_path / "out/ImageSets/Main/cat_train.txt"
        ).read_text() == "2007_000001  1\n2007_000002 -1\n"

    def test_people_who_jump_can_be_exported(self, golden: Path, tmp_path: Path) -> None:
        train = Dataset.import_from(golden, format="voc").get_subset("train").as_dataset()
        chosen = train.select(lambda item: any(one.attributes.get("jumping") for one in item.annotations))
        chosen.export(tmp_path / "out", format="voc_action", save_images=True)
        (item,) = Dataset.import_from(tmp_path / "out", "voc_action")
        assert item.annotations[0].attributes["jumping"] is True
        assert [path.name for path in (tmp_path / "out/JPEGImages").iterdir()] == ["2007_000001.jpg"]

    def test_several_years_in_one_folder_keep_their_items(self, golden: Path) -> None:
        shutil.copytree(golden, golden.parent / "VOC2007")
        dataset = Dataset.import_from(golden.parent, "voc_detection")
        assert boxes(dataset, "VOC2007/2007_000001") == boxes(dataset, "VOC2012/2007_000001") != []


class TestLabelMaps:
    def test_grey_masks_have_the_lines_as_labels(self, tmp_path: Path) -> None:
        put(
            tmp_path,
            "label_map.txt",
            "# label_map [label : color_rgb : parts : actions]\ncar:0,128,0:: # color index 0\n"
            "aeroplane:10,10,128:: # color index 1\n_dummy2:2,2,2:: # filler\nboat:108,0,100::\n",
        )
        put(tmp_path, "ImageSets/Segmentation/train.txt", "a\n")
        classes, objects = np.ones((4, 6), np.uint8), np.ones((4, 6), np.uint8)
        classes[0], objects[0] = 0, 2
        classes[1], objects[1] = 3, 7
        png(tmp_path, "SegmentationClass/a.png", classes)
        png(tmp_path, "SegmentationObject/a.png", objects)
        dataset = Dataset.import_from(tmp_path)
        found = {one.label: one.get_bbox() for one in dataset.get("a", "train").annotations}
        assert found == {0: [0, 0, 6, 1], 1: [0, 2, 6, 2], 3: [0, 1, 6, 1]}
        assert names(dataset) == ["car", "aeroplane", "_dummy2", "boat"]

    @pytest.mark.parametrize("name", ["labelmap.txt", "label_map.txt"])
    def test_both_names_and_colour_images(self, tmp_path: Path, name: str) -> None:
        put(tmp_path, name, "background:0,0,0::\ncat:1,2,3:head,tail:sits\n")
        put(tmp_path, "ImageSets/Segmentation/train.txt", "a\n")
        colors = np.zeros((4, 6, 3), np.uint8)
        colors[2:, :3] = 1, 2, 3
        png(tmp_path, "SegmentationClass/a.png", colors)
        dataset = Dataset.import_from(tmp_path, "voc")
        assert names(dataset) == ["background", "cat", "head", "tail"]
        (mask,) = dataset.get("a", "train").annotations
        assert (mask.label, mask.get_bbox()) == (1, [0, 2, 3, 2])

    @pytest.mark.parametrize(
        ("line", "name", "color"),
        [
            ("a:b:1,2,3::", "a:b", (1, 2, 3)), ("a b:::", "a b", None), ("cat", "cat", None),
            ("a#b:0, 0,9::", "a#b", (0, 0, 9)), ("Ä::x, y:z", "Ä", None),
        ],
    )  # fmt: skip
    def test_lines(self, line: str, name: str, color: Any) -> None:
        (entry,) = parse_label_map(line, "x")
        assert (entry.name, entry.color) == (name, color)
        assert parse_line(entry.line()) == entry

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a:1,2::\n", "line 1"),
            ("\na:::\na:::", "line 3: label 'a' is there twice"),
            ("a:1,2,300::", "line 1"),
        ],
    )
    def test_errors_name_the_line(self, tmp_path: Path, text: str, message: str) -> None:
        put(tmp_path, "labelmap.txt", text)
        put(tmp_path, "ImageSets/Main/train.txt", "a\n")
        with pytest.raises(FormatError, match=rf"labelmap\.txt, {message}"):
            Dataset.import_from(tmp_path, "voc")

    def test_labels_that_cannot_be_written_are_refused(self, tmp_path: Path) -> None:
        item = DatasetItem("a", annotations=[Bbox(1, 2, 3, 4, label=0)])
        with pytest.raises(FormatError, match="cannot hold the label '#a'"):
            Dataset.from_iterable([item], categories=["#a"]).export(tmp_path / "x", "voc")

    def test_colours_without_a_label_are_reported(self, tmp_path: Path) -> None:
        put(tmp_path, "labelmap.txt", "background:0,0,0::\ncat:1,2,3::\n")
        put(tmp_path, "ImageSets/Segmentation/train.txt", "a\n")
        png(tmp_path, "SegmentationClass/a.png", np.full((4, 6, 3), 9, np.uint8))
        with pytest.raises(
            FormatError, match=r"a\.png: the label map has no label for 1 colours .*\(9, 9, 9\)"
        ):
            Dataset.import_from(tmp_path, "voc")
        assert Dataset.import_from(tmp_path, "voc", on_error="skip").get("a", "train").annotations == []

    def test_source_labels_are_the_default_and_others_are_counted(self, tmp_path: Path) -> None:
        items = [DatasetItem("a", annotations=[Bbox(1, 2, 3, 4, label=0), Bbox(1, 2, 3, 4, label=1)])]
        dataset = Dataset.from_iterable(items, categories=["a unicorn", "cat"])
        assert dataset.export(tmp_path / "x", "voc").lost == {}
        assert names(Dataset.import_from(tmp_path / "x")) == ["a unicorn", "cat"]
        report = dataset.export(tmp_path / "y", "voc", label_map="voc")
        assert report.lost == {"boxes of labels that the label map lacks": 1}
        assert [name for name, _ in boxes(Dataset.import_from(tmp_path / "y"), "a", "default")] == ["cat"]
        mine = put(tmp_path, "mine.txt", "cat:0,0,255::\na unicorn:255,0,0:head:\n")
        dataset.export(tmp_path / "z", "voc", label_map=str(mine))
        assert names(Dataset.import_from(tmp_path / "z")) == ["cat", "a unicorn", "head"]

    def test_labels_that_the_map_lacks_are_added_and_noted(self, tmp_path: Path) -> None:
        put(tmp_path, "labelmap.txt", "cat:::\n")
        put(tmp_path, "ImageSets/Main/train.txt", "a\n")
        put(tmp_path, "Annotations/a.xml", xml(box_xml("dog"), box_xml("cat")))
        dataset = Dataset.import_from(tmp_path)
        assert names(dataset) == ["cat", "dog"]
        assert dataset.report.notes == ["Labels that the label map lacks were added after its own: 'dog'"]


class TestBoxes:
    def test_nothing_is_shifted_unless_asked(self, tmp_path: Path) -> None:
        put(tmp_path, "a.xml", xml(box_xml("cat", (1, 1, 10, 20))))
        assert boxes(Dataset.import_from(tmp_path), "a", "default") == [("cat", [1, 1, 10, 20])]
        dataset = Dataset.import_from(tmp_path, one_based=True)
        assert boxes(dataset, "a", "default") == [("cat", [0, 0, 10, 20])]
        dataset.export(tmp_path / "x", "voc", one_based=True)
        assert "<xmin>1</xmin>" in (tmp_path / "x/Annotations/a.xml").read_text()
        assert boxes(Dataset.import_from(tmp_path / "x", one_based=True), "a", "default") == boxes(
            dataset, "a", "default"
        )

    @pytest.mark.parametrize(
        "box", [(0.1, 0.2, 0.2, 0.1), (117.45, 0.07, 208.31, 220.9), (-3.5, 1e-7, 2, 3), (1 / 3, 2, 1, 0)]
    )
    def test_coordinates_keep_every_digit(self, tmp_path: Path, box: tuple[float, ...]) -> None:
        item = DatasetItem("a", annotations=[Bbox(*box, label=0)])
        Dataset.from_iterable([item], categories=["cat"]).export(tmp_path / "x", "voc")
        (found,) = Dataset.import_from(tmp_path / "x").get("a", "default").annotations
        assert [found.x, found.y, found.w, found.h] == pytest.approx(box, abs=1e-15 if box[0] == 1 / 3 else 0)

    @pytest.mark.parametrize(
        ("text", "field", "place"),
        [
            (xml(box_xml("cat", (1, 2, "x", 4))), "xmax", "line 2, object 1"),
            (xml(box_xml("cat"), box_xml("cat", (5, 2, 3, 4))), "xmax", "line 5, object 2"),
            (xml(box_xml("cat", (1, 2, 3, "nan"))), "ymax", "line 2, object 1"),
            (xml(box_xml("")), "name", "line 2, object 1"),
            (xml("<object><name>cat</name></object>"), "bndbox", "line 2, object 1"),
            (xml(box_xml("cat", more="<difficult>maybe</difficult>")), "difficult", "line 2, object 1"),
        ],
    )
    def test_what_makes_no_sense_names_file_line_and_field(
        self, tmp_path: Path, text: str, field: str, place: str
    ) -> None:
        put(tmp_path, "a.xml", text)
        with pytest.raises(FormatError, match=rf"a\.xml, {place}, field '{field}'"):
            Dataset.import_from(tmp_path, "voc")
        dataset = Dataset.import_from(tmp_path, "voc", on_error="skip")
        assert [problem.field for problem in dataset.report.problems] == [field]

    def test_broken_xml_names_file_and_line(self, tmp_path: Path) -> None:
        put(tmp_path, "ImageSets/Main/train.txt", "a\n")
        put(tmp_path, "Annotations/a.xml", "<annotation>\n<object>\n</annotation>")
        with pytest.raises(FormatError, match=r"Annotations/a\.xml, line 3"):
            Dataset.import_from(tmp_path, "voc")

    def test_attributes_keep_their_type(self, tmp_path: Path) -> None:
        attributes = {
            "text": "red & <blue>", "word": "True", "digits": "007", "number": 7, "real": 0.25, "yes": True,
            "nothing": None, "many": [1, "a"], "spaces": " x ", "Größe": "ü", "difficult": True, "truncated": False,
            "occluded": True, "pose": "Left",
        }  # fmt: skip
        item = DatasetItem(
            "a", annotations=[Bbox(1, 2, 3, 4, label=0, attributes={**attributes, "is_crowd": True})]
        )
        dataset = Dataset.from_iterable([item], categories=["cat"])
        dataset.export(tmp_path / "x", "voc")
        (found,) = Dataset.import_from(tmp_path / "x").get("a", "default").annotations
        assert found.attributes == {**attributes, "is_crowd": True}
        assert type(found.attributes["yes"]) is bool
        dataset.export(tmp_path / "y", "voc", allow_attributes=False)
        (found,) = Dataset.import_from(tmp_path / "y").get("a", "default").annotations
        assert sorted(found.attributes) == ["difficult", "occluded", "pose", "truncated"]

    def test_characters_that_xml_cannot_hold_are_refused(self, tmp_path: Path) -> None:
        item = DatasetItem("a", annotations=[Bbox(1, 2, 3, 4, label=0, attributes={"x": "\x01"})])
        with pytest.raises(FormatError, match="XML cannot hold"):
            Dataset.from_iterable([item], categories=["cat"]).export(tmp_path / "x", "voc")

    def test_polygons_crowds_and_rotated_boxes_are_written_as_boxes(self, tmp_path: Path) -> None:
        pixels = np.zeros((20, 20), bool)
        pixels[2:5, 3:9] = True
        annotations = [
            Polygon([1, 2, 5, 2, 5, 8], label=0, group=4),
            Mask(pixels, label=0, attributes={"is_crowd": True}),
            Bbox(0, 0, 4, 2, label=0, rotation=90),
            Bbox(1, 2, 4, 6, label=1, group=5), Polygon([1, 2, 5, 2, 5, 8], label=1, group=5),
        ]  # fmt: skip
        dataset = Dataset.from_iterable(
            [DatasetItem("a", annotations=annotations)], categories=["cat", "dog"]
        )
        report = dataset.export(tmp_path / "x", "voc")
        assert report.lost == {
            "polygons (written as boxes)": 2, "masks of crowds (written as boxes)": 1, "rotation angles": 1,
        }  # fmt: skip
        after = Dataset.import_from(tmp_path / "x")
        found = boxes(after, "a", "default")
        assert found[0:2] == [("cat", [1, 2, 5, 8]), ("cat", [3, 2, 9, 5])]
        assert found[2][1] == pytest.approx([1, -1, 3, 3])
        assert found[3:] == [("dog", [1, 2, 5, 8])]
        assert after.get("a", "default").annotations[1].attributes["is_crowd"] is True


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.sampled_from(["True", "1", "1.5", "1e5", "", " "]),
)  # fmt: skip


@given(st.one_of(VALUES, st.lists(VALUES, max_size=3)))
def test_values_of_attributes_are_read_as_they_were(value: Any) -> None:
    try:
        element = etree.fromstring(attribute_element("name", value))
    except FormatError:
        assume(False)
    found = typed(element.findtext("value") or "", element.find("value").get("type"))
    assert found == value
    assert type(found) is type(value)


@given(st.decimals(-1000, 1000, places=3), st.decimals(0, 1000, places=3))
def test_sums_are_those_of_decimal_numbers(first: Any, second: Any) -> None:
    found = add_decimals(np.array([float(first)]), np.array([float(second)]))
    assert found[0] == float(first + second)


class TestMasks:
    @staticmethod
    def dataset(*masks: Mask, labels: Any = ("cat", "dog")) -> Dataset:
        item = DatasetItem("a", subset="train", annotations=list(masks))
        return Dataset.from_iterable([item], categories=list(labels))

    @staticmethod
    def mask(top: int, label: int, **values: Any) -> Mask:
        pixels = np.zeros((20, 30), bool)
        pixels[top : top + 4, 3:9] = True
        pixels[top + 1, 4] = False
        return Mask(pixels, label=label, **values)

    @pytest.mark.parametrize("colored", [True, False])
    def test_background_comes_first(self, tmp_path: Path, colored: bool) -> None:
        before = self.dataset(self.mask(2, 0), self.mask(9, 2), labels=["cat", "background", "dog"])
        before.export(tmp_path / "x", "voc", apply_colormap=colored)
        first, second = (tmp_path / "x/labelmap.txt").read_text().splitlines()[1:3]
        assert (first, second) == ("background:0,0,0::", "cat:128,0,0::")
        image = PIL.Image.open(tmp_path / "x/SegmentationClass/a.png")
        assert image.mode == ("P" if colored else "L")
        assert np.asarray(image)[0, 0] == 0
        assert np.asarray(image)[2, 3] == 1
        after = Dataset.import_from(tmp_path / "x")
        found = [(names(after)[one.label], one.rle) for one in after.get("a", "train").annotations]
        assert found == [("cat", self.mask(2, 0).rle), ("dog", self.mask(9, 0).rle)]

    def test_objects_of_a_black_label_stay_objects(self, tmp_path: Path) -> None:
        before = self.dataset(self.mask(2, 0), self.mask(9, 1))
        categories = {
            **before.categories(),
            AnnotationType.mask: MaskCategories({0: (0, 0, 0), 1: (1, 2, 3)}),
        }
        before.define_categories(categories)
        before.export(tmp_path / "x", "voc")
        after = Dataset.import_from(tmp_path / "x")
        assert [names(after)[one.label] for one in after.get("a", "train").annotations] == ["cat", "dog"]
        assert after.categories()[AnnotationType.mask][2] == (1, 2, 3)

    def test_masks_of_background_make_no_object(self, tmp_path: Path) -> None:
        before = self.dataset(self.mask(2, 1), self.mask(3, 0), labels=["background", "cat"])
        before.export(tmp_path / "x", "voc")
        (found,) = Dataset.import_from(tmp_path / "x").get("a", "train").annotations
        assert found.label == 1
        assert np.array_equal(found.image, self.mask(2, 1).image & ~self.mask(3, 0).image)

    def test_z_order_says_what_is_in_front_and_hidden_masks_are_noted(self, tmp_path: Path) -> None:
        report = self.dataset(self.mask(2, 0, z_order=1), self.mask(4, 1)).export(tmp_path / "x", "voc")
        assert report.notes == ["1 masks are partly behind others; a pixel of voc belongs to one object"]
        cat, dog = Dataset.import_from(tmp_path / "x").get("a", "train").annotations
        assert np.array_equal(cat.image, self.mask(2, 0).image)
        assert dog.get_area() < self.mask(4, 0).get_area()

    @pytest.mark.parametrize("colored", [True, False])
    def test_many_objects_and_labels(self, tmp_path: Path, colored: bool) -> None:
        count = 300
        masks = []
        for number in range(count):
            pixels = np.zeros((20, 30), bool)
            pixels[number // 30, number % 30] = True
            masks.append(Mask(pixels, label=number))
        before = self.dataset(*masks, labels=[f"label {number}" for number in range(count)])
        before.export(tmp_path / "x", "voc", apply_colormap=colored)
        after = Dataset.import_from(tmp_path / "x")
        found = [(names(after)[one.label], one.get_bbox()) for one in after.get("a", "train").annotations]
        assert found == [(f"label {n}", [n % 30, n // 30, 1, 1]) for n in range(count)]

    def test_classes_alone_give_a_mask_for_each_label_but_background(self, tmp_path: Path) -> None:
        put(tmp_path, "ImageSets/Segmentation/train.txt", "a\n")
        put(tmp_path, "labelmap.txt", "background:0,0,0::\ncat:0,0,9::\ndog:0,9,0::\n")
        png(tmp_path, "SegmentationClass/a.png", np.repeat(np.arange(3, dtype=np.uint8), 8).reshape(3, 8))
        found = Dataset.import_from(tmp_path).get("a", "train").annotations
        assert [(one.label, one.get_bbox()) for one in found] == [(1, [0, 1, 8, 1]), (2, [0, 2, 8, 1])]

    def test_images_of_different_size_are_reported(self, tmp_path: Path) -> None:
        put(tmp_path, "ImageSets/Segmentation/train.txt", "a\n")
        png(tmp_path, "SegmentationClass/a.png", np.zeros((3, 8), np.uint8))
        png(tmp_path, "SegmentationObject/a.png", np.zeros((3, 9), np.uint8))
        with pytest.raises(FormatError, match=r"SegmentationClass/a\.png: it has 3 x 8 pixels, .* has 3 x 9"):
            Dataset.import_from(tmp_path, "voc")

    def test_a_damaged_image_is_reported(self, tmp_path: Path) -> None:
        put(tmp_path, "ImageSets/Segmentation/train.txt", "a\n")
        put(tmp_path, "SegmentationClass/a.png", b"no image")
        with pytest.raises(FormatError, match=r"a\.png.*cannot be read as an image"):
            Dataset.import_from(tmp_path, "voc")


class TestNames:
    def test_equal_names_in_two_subsets_with_other_content_stay_two_items(self, tmp_path: Path) -> None:
        items = [
            DatasetItem("a", subset=subset, image=np.full((4, 4, 3), number, np.uint8),
                        annotations=[Bbox(number, 2, 3, 4, label=0)])
            for number, subset in enumerate(["train", "val", "test"])
        ]  # fmt: skip
        report = Dataset.from_iterable(items, categories=["cat"]).export(
            tmp_path / "x", "voc", save_media=True
        )
        after = Dataset.import_from(tmp_path / "x")
        found = {(item.subset, item.id): (item.annotations[0].x, item.image.data[0, 0, 0]) for item in after}
        assert found == {("train", "a"): (0, 0), ("val", "val/a"): (1, 1), ("test", "test/a"): (2, 2)}
        assert report.notes[0].startswith("2 items have the id of an item of another subset")

    @pytest.mark.parametrize("extension", [".bmp", ".TIF", ".webp", ".JPG", ".jpeg", ".png"])
    def test_images_of_any_extension_are_found(self, tmp_path: Path, extension: str) -> None:
        put(tmp_path, "ImageSets/Main/train.txt", "a.rgb\n")
        put(tmp_path, "Annotations/a.rgb.xml", xml(box_xml("cat"), filename=f"a.rgb{extension}"))
        png(tmp_path, f"JPEGImages/a.rgb{extension}", np.zeros((4, 6, 3), np.uint8))
        item = Dataset.import_from(tmp_path).get("a.rgb", "train")
        assert item.image.size == (4, 6)

    def test_names_in_both_forms_of_unicode_match(self, tmp_path: Path) -> None:
        composed, decomposed = (unicodedata.normalize(form, "Ärger") for form in ("NFC", "NFD"))
        put(tmp_path, "ImageSets/Main/train.txt", f"{composed}\n")
        put(tmp_path, f"Annotations/{decomposed}.xml", xml(box_xml("cat")))
        png(tmp_path, f"JPEGImages/{decomposed}.png", np.zeros((4, 6, 3), np.uint8))
        dataset = Dataset.import_from(tmp_path)
        (item,) = dataset
        assert (len(item.annotations), item.image.size) == (1, (4, 6))

    def test_lists_with_backslashes_extensions_and_paths(self, tmp_path: Path) -> None:
        put(tmp_path, "ImageSets/Main/train.txt", "s\\a\nb.jpg\nJPEGImages/c.png\n\n# d\n")
        for name in ("s/a", "b", "c"):
            put(tmp_path, f"Annotations/{name}.xml", xml(box_xml("cat")))
        assert [item.id for item in Dataset.import_from(tmp_path)] == ["s/a", "b", "c"]

    @pytest.mark.parametrize("line", ["../../etc/passwd", "/etc/passwd", "C:\\x"])
    def test_lists_that_leave_the_folder_are_refused(self, tmp_path: Path, line: str) -> None:
        put(tmp_path, "ImageSets/Main/train.txt", f"a\n{line}\n")
        with pytest.raises(FormatError, match=r"train\.txt, line 2"):
            Dataset.import_from(tmp_path, "voc")

    def test_names_with_spaces_in_all_lists(self, tmp_path: Path) -> None:
        items = [
            DatasetItem("b 1", subset="train", annotations=[Label(0)]),
            DatasetItem("b", subset="train", annotations=[Label(1)]),
        ]
        before = Dataset.from_iterable(items, categories=["cat", "dog"])
        before.export(tmp_path / "x", "voc_classification")
        after = Dataset.import_from(tmp_path / "x", "voc_classification")
        assert {item.id: item.annotations for item in after} == {"b 1": [Label(0)], "b": [Label(1)]}

    @pytest.mark.parametrize("name", ["#a", " a", "a\nb"])
    def test_ids_that_lists_cannot_hold_are_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FormatError, match="cannot hold the id"):
            Dataset.from_iterable([DatasetItem(name)], categories=["cat"]).export(tmp_path / "x", "voc")

    def test_subsets_with_underscores(self, tmp_path: Path) -> None:
        items = [
            DatasetItem("a", subset="train", annotations=[Label(0)]),
            DatasetItem("b", subset="my_train", annotations=[Label(1)]),
        ]
        Dataset.from_iterable(items, categories=["cat", "dog_house"]).export(tmp_path / "x", "voc")
        after = Dataset.import_from(tmp_path / "x")
        assert {(item.subset, item.id): item.annotations for item in after} == {
            ("train", "a"): [Label(0)], ("my_train", "b"): [Label(1)],
        }  # fmt: skip


class TestOtherTools:
    def test_annotation_files_beside_images(self, tmp_path: Path) -> None:
        """As LabelImg writes them."""
        put(tmp_path, "a.xml", xml(box_xml("cat"), filename="a.jpg"))
        for name in ("a.jpg", "b.jpg"):
            png(tmp_path, name, np.zeros((4, 6, 3), np.uint8))
        dataset = Dataset.import_from(tmp_path)
        assert dataset.format == "voc"
        assert [(item.id, item.subset, len(item.annotations), item.image.size) for item in dataset] == [
            ("a", "default", 1, (4, 6)), ("b", "default", 0, (4, 6)),
        ]  # fmt: skip
        assert names(dataset) == ["cat"]

    @pytest.mark.parametrize(
        ("annotation", "image"),
        [
            ("train/a.xml", "train/a.jpg"), ("train/Annotations/a.xml", "train/images/a.jpg"),
            ("annotations/train/a.xml", "Images/train/a.jpg"), ("Annotations/train/a.xml", "JPEGImages/a.jpg"),
        ],
    )  # fmt: skip
    def test_folders_of_subsets(self, tmp_path: Path, annotation: str, image: str) -> None:
        put(tmp_path, annotation, xml(box_xml("cat"), filename="a.jpg"))
        png(tmp_path, image, np.zeros((4, 6, 3), np.uint8))
        dataset = Dataset.import_from(tmp_path)
        assert boxes(dataset, "a") == [("cat", [1, 2, 3, 4])]
        assert dataset.get("a", "train").image.size == (4, 6)

    def test_folders_of_other_names(self, tmp_path: Path) -> None:
        put(tmp_path, "my/xmls/a.xml", xml(box_xml("cat"), filename="a.jpg"))
        for name in ("a", "b"):
            png(tmp_path, f"pics/{name}.jpg", np.zeros((4, 6, 3), np.uint8))
        dataset = Dataset.import_from(tmp_path, "voc", annotations="my/xmls", images="pics")
        assert [(item.id, len(item.annotations), item.image.size) for item in dataset] == [
            ("a", 1, (4, 6)), ("b", 0, (4, 6)),
        ]  # fmt: skip
        found = {item.id: len(item.annotations) for item in Dataset.import_from(tmp_path)}
        assert found == {"my/xmls/a": 1, "pics/b": 0}

    def test_files_of_labelme_are_not_taken_for_voc(self, tmp_path: Path) -> None:
        put(
            tmp_path, "a.xml",
            "<annotation><filename>a.jpg</filename><imagesize><nrows>4</nrows></imagesize>"
            "<object><name>cat</name><polygon><pt><x>1</x><y>2</y></pt></polygon></object></annotation>",
        )  # fmt: skip
        assert "voc" not in [one.format for one in Dataset.detect(tmp_path)]

    def test_polygons_of_objects_are_noted(self, tmp_path: Path) -> None:
        put(tmp_path, "a.xml", xml(box_xml("cat", more="<polygon><x1>1</x1></polygon>")))
        notes = Dataset.import_from(tmp_path, "voc").report.notes
        assert notes == ["1 polygons and rotated boxes of objects were not read, only their boxes"]

    def test_files_in_no_list_are_noted(self, tmp_path: Path) -> None:
        put(tmp_path, "ImageSets/Main/train.txt", "a\n")
        for name in ("a", "b"):
            put(tmp_path, f"Annotations/{name}.xml", xml(box_xml("cat")))
        dataset = Dataset.import_from(tmp_path)
        assert len(dataset) == 1
        assert dataset.report.notes == ["1 images and annotation files are in no list of ImageSets"]

    def test_an_empty_folder_says_what_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="no lists in ImageSets and no annotation files"):
            Dataset.import_from(tmp_path, "voc")


class TestOptions:
    ITEM = DatasetItem("a", subset="train", annotations=[Bbox(1, 2, 3, 4, label=0), Label(0)])

    def files(self, folder: Path, **options: Any) -> list[str]:
        Dataset.from_iterable([self.ITEM], categories=["cat"]).export(folder, "voc", **options)
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    def test_tasks(self, tmp_path: Path) -> None:
        both = [
            "Annotations/a.xml",
            "ImageSets/Main/cat_train.txt",
            "ImageSets/Main/train.txt",
            "labelmap.txt",
        ]
        assert self.files(tmp_path / "0") == both
        assert self.files(tmp_path / "1", tasks="detection,classification") == both
        assert self.files(tmp_path / "2", tasks=["voc_classification"]) == both[1:]
        assert self.files(tmp_path / "3", tasks="person_layout") == [
            both[0], "ImageSets/Layout/train.txt", "labelmap.txt",
        ]  # fmt: skip
        with pytest.raises(FormatOptionError, match="no task 'detecton'"):
            self.files(tmp_path / "4", tasks="detecton")

    def test_what_tasks_leave_out_is_counted(self, tmp_path: Path) -> None:
        dataset = Dataset.from_iterable([self.ITEM], categories=["cat"])
        assert dataset.export(tmp_path / "x", "voc", tasks="detection").lost == {"labels": 1}

    def test_keep_empty(self, tmp_path: Path) -> None:
        found = self.files(tmp_path / "x", keep_empty=True)
        for folder in ("Action", "Layout", "Segmentation"):
            assert f"ImageSets/{folder}/train.txt" in found
        assert len(Dataset.import_from(tmp_path / "x")) == 1

    def test_image_ext(self, tmp_path: Path) -> None:
        self.files(tmp_path / "x", image_ext=".png")
        assert "<filename>a.png</filename>" in (tmp_path / "x/Annotations/a.xml").read_text()

    def test_an_unknown_label_map_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(
            FormatError, match="label_map is 'vok'; it must be source, voc, or the path of a file"
        ):
            self.files(tmp_path / "x", label_map="vok")
