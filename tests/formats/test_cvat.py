"""CVAT for images: what is read to exact values, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast.annotated import (
    AnnotationType,
    Bbox,
    Caption,
    Dataset,
    DatasetItem,
    Label,
    LabelCategories,
    Mask,
    MaskCategories,
    Points,
    PointsCategories,
    Polygon,
    PolyLine,
    RleMask,
    Skeleton,
)
from ddfast.annotated.boxes import Ellipse
from ddfast.annotated.categories import LabelCategory
from ddfast.errors import FormatError, LossyExportError
from ddfast.testing.formats import FormatTests


class TestCvat(FormatTests):
    format = "cvat"


LABELS = """
<label><name>car</name><color>#fa3253</color><type>any</type><attributes>
  <attribute><name>parked</name><mutable>False</mutable><input_type>checkbox</input_type>
    <default_value>false</default_value><values>false</values></attribute>
  <attribute><name>wheels</name><mutable>True</mutable><input_type>number</input_type>
    <default_value>4</default_value><values>0\n10\n1</values></attribute>
  <attribute><name>brand</name><mutable>False</mutable><input_type>select</input_type>
    <default_value>true</default_value><values>true\n7\nBMW</values></attribute>
</attributes></label>
<label><name>road</name><color>#08f</color><type>any</type><attributes/></label>
<label><name>person</name><color>#010203</color><type>skeleton</type><attributes/>
<svg>&lt;line x1="1" y1="2" data-type="edge" data-node-from="1" data-node-to="2"&gt;&lt;/line&gt;
&lt;circle cx="10.5" cy="20" data-type="element node" data-node-id="1" data-label-name="nose"&gt;&lt;/circle&gt;
&lt;circle cx="30" cy="40" data-type="element node" data-node-id="2" data-label-name="eye"&gt;&lt;/circle&gt;
</svg></label>
<label><name>nose</name><type>points</type><attributes/><parent>person</parent></label>
<label><name>eye</name><type>points</type><attributes/><parent>person</parent></label>
"""

IMAGES = """
<image id="0" name="a/one.rgb.jpg" width="8" height="6">
  <box label="car" source="manual" occluded="1" xtl="-1.30" ytl="0.1" xbr="4.20" ybr="3.3" rotation="12.5"
    z_order="3" group_id="7">
    <attribute name="parked">true</attribute>
    <attribute name="wheels">4</attribute>
    <attribute name="brand">true</attribute>
  </box>
  <polygon label="road" source="auto" occluded="0" points="0.25,1.00;2.00,1.00;2.00,3.123456789012" z_order="0">
  </polygon>
  <polyline label="road" occluded="0" points="1,2;3,4" z_order="-1"/>
  <points label="car" occluded="0" points="1,2;3,4" z_order="0"/>
  <mask label="road" source="manual" occluded="0" rle="2, 1, 1, 2" left="2" top="1" width="3" height="2" z_order="0">
  </mask>
  <ellipse label="car" occluded="0" cx="3.1" cy="3.2" rx="1.1" ry="0.7" rotation="30" z_order="0"/>
  <tag label="car" source="manual"><attribute name="wheels">1.5</attribute></tag>
</image>
<image id="5" name="empty.PNG" width="8" height="6"></image>
<image id="7" name="people.png" width="8" height="6">
  <skeleton label="person" source="manual" z_order="0">
    <points label="eye" outside="0" occluded="1" points="5.00,6.00"/>
    <points label="nose" outside="0" occluded="0" points="1.00,2.00"/>
  </skeleton>
  <skeleton label="person" source="manual" z_order="0">
    <points label="eye" outside="1" occluded="0" points="3.00,4.00"/>
  </skeleton>
</image>
"""


def xml(body: str, labels: str = LABELS, task: str = "<mode>annotation</mode>") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task>'
        f"{task}<labels>{labels}</labels></task></meta>\n{body}\n</annotations>\n"
    )


def read(folder: Path, body: str, **options: Any) -> Dataset:
    text = xml(body, **{name: options.pop(name) for name in ("labels", "task") if name in options})
    (folder / "annotations.xml").write_text(text, encoding="utf-8")
    return Dataset.import_from(folder, "cvat", **options)


class TestDocumentedSource:
    def dataset(self, folder: Path) -> Dataset:
        return read(folder, IMAGES)

    def test_items(self, tmp_path: Path) -> None:
        found = [(item.id, item.subset, item.attributes, item.image.size) for item in self.dataset(tmp_path)]
        assert found == [
            ("a/one.rgb", "default", {"frame": 0}, (6, 8)),
            ("empty", "default", {"frame": 5}, (6, 8)),
            ("people", "default", {"frame": 7}, (6, 8)),
        ]

    def test_annotations(self, tmp_path: Path) -> None:
        mask = np.zeros((6, 8), bool)
        mask[1:3, 2:5] = [[0, 0, 1], [0, 1, 1]]
        item = self.dataset(tmp_path).get("a/one.rgb")
        assert item is not None
        plain = {"occluded": False}
        first = {"occluded": True, "parked": True, "wheels": 4, "brand": "true"}
        box = Bbox(-1.3, 0.1, 5.5, 3.2, 0, 3, attributes=first, group=7, rotation=12.5, source="manual")
        assert item.annotations == [
            box,
            Polygon([0.25, 1, 2, 1, 2, 3.123456789012], label=1, attributes=plain, source="auto"),
            PolyLine([1, 2, 3, 4], label=1, z_order=-1, attributes=plain),
            Points([1, 2, 3, 4], label=0, attributes=plain),
            Mask(mask, label=1, attributes=plain, source="manual"),
            Ellipse(2, 2.5, 4.2, 3.9, label=0, attributes=plain, rotation=30),
            Label(0, attributes={"wheels": 1.5}, source="manual"),
        ]
        assert type(item.annotations[0].attributes["wheels"]) is int

    def test_categories(self, tmp_path: Path) -> None:
        assert self.dataset(tmp_path).categories() == {
            AnnotationType.label: LabelCategories([
                LabelCategory("car", attributes={"parked", "wheels", "brand"}), LabelCategory("road"),
                LabelCategory("person"),
            ]),
            AnnotationType.mask: MaskCategories({0: (250, 50, 83), 1: (0, 136, 255), 2: (1, 2, 3)}),
            AnnotationType.points: PointsCategories.from_iterable([
                (2, ["nose", "eye"], {(0, 1)}, [10.5, 20, 30, 40])
            ]),
        }  # fmt: skip

    def test_round_trip_is_lossless(self, tmp_path: Path) -> None:
        before = self.dataset(tmp_path)
        before.export(tmp_path / "out", "cvat")
        after = Dataset.import_from(tmp_path / "out", "cvat")
        assert list(after) == list(before)
        assert after.categories() == before.categories()

    def test_skeletons_are_in_the_order_of_their_label(self, tmp_path: Path) -> None:
        item = self.dataset(tmp_path).get("people")
        assert item is not None
        assert item.annotations == [
            Skeleton(
                [1, 2, 5, 6],
                [2, 1],
                ["nose", "eye"],
                label=2,
                attributes={"occluded": False},
                source="manual",
            ),
            Skeleton(
                [0, 0, 3, 4],
                [0, 0],
                ["nose", "eye"],
                label=2,
                attributes={"occluded": False},
                source="manual",
            ),
        ]


class TestFilesOfOthers:
    def test_a_project_with_several_tasks(self, tmp_path: Path) -> None:
        image = '<image id="0" name="frame.png" {} width="8" height="6"><tag label="a"/></image>'
        body = image.format('task_id="1" subset="Train"') + image.format('task_id="2" subset="Train"')
        body += image.format('task_id="2" subset="Test"')
        (tmp_path / "annotations.xml").write_text(
            "<annotations><version>1.1</version><meta><project><id>9</id><name>p</name><tasks>"
            "<task><id>1</id><name>one</name></task><task><id>2</id><name>two</name></task></tasks>"
            f"<labels><label><name>a</name></label></labels></project></meta>{body}</annotations>"
        )
        found = [(item.subset, item.id, len(item.annotations)) for item in Dataset.import_from(tmp_path)]
        assert found == [("Train", "one/frame", 1), ("Train", "two/frame", 1), ("Test", "two/frame", 1)]

    def test_equal_names_in_the_folders_of_several_exports_stay_apart(self, tmp_path: Path) -> None:
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir()
            read(tmp_path / folder, '<image id="0" name="x.png" width="8" height="6"/>')
        assert [item.id for item in Dataset.import_from(tmp_path)] == ["one/x", "two/x"]

    @pytest.mark.parametrize("folder", ["images", "images/train", ""])
    def test_images_of_all_subsets_may_be_in_one_folder(self, folder: str, tmp_path: Path) -> None:
        names = ["a.rgb.jpg", "in/b_1.JPG", "测试.TIF"]
        for name in names:
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_bytes(name.encode())
        (tmp_path / "train.xml").write_text(xml("".join(f'<image id="0" name="{name}"/>' for name in names)))
        found = Dataset.import_from(tmp_path)
        assert [(item.id, item.subset) for item in found] == [
            ("a.rgb", "train"), ("in/b_1", "train"), ("测试", "train")
        ]  # fmt: skip
        assert [Path(item.image.path).read_bytes() for item in found] == [name.encode() for name in names]

    def test_the_subset_of_a_task(self, tmp_path: Path) -> None:
        found = read(tmp_path, '<image id="0" name="x.png"/>', task="<subset>Validation</subset>")
        assert [item.subset for item in found] == ["Validation"]

    def test_without_labels_in_the_head_they_are_those_of_the_shapes(self, tmp_path: Path) -> None:
        path = tmp_path / "annotations.xml"
        path.write_text(
            '<annotations><version>1.1</version><image id="0" name="x"><tag label="b"/><tag label="a"/></image>'
            "</annotations>"
        )
        found = Dataset.import_from(path)
        assert [label.name for label in found.categories()[AnnotationType.label]] == ["b", "a"]
        assert next(iter(found)).annotations == [Label(0), Label(1)]

    def test_a_cuboid_is_a_skeleton_of_its_corners(self, tmp_path: Path) -> None:
        corners = [f"{corner}{side}" for side in "12" for corner in ("tl", "bl", "tr", "br")]
        places = " ".join(f'x{name}="{at}.5" y{name}="{at + 20}"' for at, name in enumerate(corners))
        before = read(tmp_path, f'<image id="0" name="x"><cuboid label="car" occluded="0" {places}/></image>')
        assert next(iter(before)).annotations == [
            Skeleton(
                [number for at in range(8) for number in (at + 0.5, at + 20)], names=corners, label=0,
                attributes={"occluded": False},
            )
        ]  # fmt: skip
        before.export(tmp_path / "out", "cvat")
        assert "<cuboid " in (tmp_path / "out" / "default.xml").read_text()
        assert list(Dataset.import_from(tmp_path / "out")) == list(before)

    def test_images_with_equal_numbers_stay_apart(self, tmp_path: Path) -> None:
        found = read(tmp_path, '<image id="0" name="x.png"/><image id="0" name="y.png"/>')
        assert [item.id for item in found] == ["x", "y"]

    def test_names_that_lead_out_of_the_folder(self, tmp_path: Path) -> None:
        names = ["/data/x.png", "..\\..\\y.png", "C:\\z.png", "in\\side.png"]
        body = "".join(f'<image id="{at}" name="{name}"/>' for at, name in enumerate(names))
        assert [item.id for item in read(tmp_path, body)] == ["x", "y", "z", "in/side"]

    def test_coordinates_in_all_forms(self, tmp_path: Path) -> None:
        points = [
            "007.50,-0;1,2;3,4",
            "1e2,2;.5,6.;3, 4",
            "1,2;3,4;5,6;",
            "123456789012345.12345678901234567890,2;3,4;5,6",
        ]
        body = "".join(f'<polygon label="car" points="{text}"/>' for text in points)
        (item,) = read(tmp_path, f'<image id="0" name="x">{body}<points label="car" points="1,2"/></image>')
        assert [one.points for one in item.annotations] == [
            [7.5, 0, 1, 2, 3, 4],
            [100, 2, 0.5, 6, 3, 4],
            [1, 2, 3, 4, 5, 6],
            [float("123456789012345.12345678901234567890"), 2, 3, 4, 5, 6],
            [1, 2],
        ]

    def test_attributes_that_the_head_does_not_have(self, tmp_path: Path) -> None:
        texts = "".join(
            f'<attribute name="{at}">{text}</attribute>' for at, text in enumerate(["true", "1", ""])
        )
        found = read(tmp_path, f'<image id="0" name="x"><tag label="road">{texts}</tag></image>')
        assert next(iter(found)).annotations == [Label(1, attributes={"0": True, "1": "1", "2": ""})]

    def test_unknown_elements_are_counted(self, tmp_path: Path) -> None:
        found = read(tmp_path, '<image id="0" name="x"><blob label="car"/><blob label="car"/></image>')
        assert [note.partition(": ")[2] for note in found.report.notes] == [
            "2 elements <blob> are unknown and were left out"
        ]

    def test_a_mask_of_an_image_whose_size_is_only_in_its_file(self, tmp_path: Path) -> None:
        before = Dataset.from_iterable([DatasetItem("x", image=np.zeros((6, 8, 3), np.uint8))])
        before.export(tmp_path, "cvat", save_media=True, overwrite=True)
        body = '<image id="0" name="x.png"><mask label="car" rle="1,1" left="7" top="4" width="1" height="2"/></image>'
        (tmp_path / "default.xml").write_text(xml(body))
        mask = np.zeros((6, 8), bool)
        mask[5, 7] = True
        assert next(iter(Dataset.import_from(tmp_path))).annotations == [
            Mask(mask, label=0, attributes={"occluded": False})
        ]


IN_IMAGE = '<image id="0" name="x.png" width="8" height="6">\n{}\n</image>'
BAD = {
    '<box label="car" xtl="1" ytl="2" xbr="0.5" ybr="3"/>': ("xbr", "less than xtl, by 0.5"),
    '<box label="car" xtl="1" ytl="2" xbr="3" ybr="1"/>': ("ybr", "less than ytl, by 1"),
    '<box label="car" ytl="2" xbr="3" ybr="1"/>': ("xtl", "missing"),
    '<box label="car" xtl="nan" ytl="2" xbr="3" ybr="1"/>': ("xtl", "finite"),
    '<box label="dog" xtl="1" ytl="2" xbr="3" ybr="3"/>': ("label", "no label 'dog'"),
    '<box xtl="1" ytl="2" xbr="3" ybr="3"/>': ("label", "missing"),
    '<box label="car" occluded="maybe" xtl="1" ytl="2" xbr="3" ybr="3"/>': ("occluded", "0 or 1"),
    '<box label="car" z_order="high" xtl="1" ytl="2" xbr="3" ybr="3"/>': ("z_order", "integer"),
    '<box label="car" rotation="x" xtl="1" ytl="2" xbr="3" ybr="3"/>': ("rotation", "finite"),
    '<box label="car" xtl="1" ytl="2" xbr="3" ybr="3"><attribute>x</attribute></box>': ("name", "no name"),
    '<polygon label="car" points="1,2;3,4;5"/>': ("points", "x,y;x,y"),
    '<polygon label="car" points="1,2,3;4"/>': ("points", "x,y;x,y"),
    '<polygon label="car" points="1,2;3,4"/>': ("points", "at least 3"),
    '<polygon label="car"/>': ("points", "missing"),
    '<points label="car" points="1,inf"/>': ("points", "not finite"),
    '<ellipse label="car" cx="1" cy="2" rx="-1" ry="1"/>': ("rx", "negative"),
    '<mask label="car" rle="2,2,9" left="0" top="0" width="2" height="2"/>': ("rle", "run length"),
    '<mask label="car" rle="2,1" left="0" top="0" width="2" height="2"/>': ("rle", "add up to 4"),
    '<mask label="car" rle="a" left="0" top="0" width="2" height="2"/>': ("rle", "integers"),
    '<mask label="car" rle="4" left="7" top="0" width="2" height="2"/>': ("rle", "in an image of 6 x 8"),
    '<mask label="car" rle="4" top="0" width="2" height="2"/>': ("left", "missing"),
    '<skeleton label="car"/>': ("points", "no points"),
    '<skeleton label="person"><box label="nose"/></skeleton>': ("label", "points with different labels"),
}


class TestErrors:
    @pytest.mark.parametrize("element", BAD)
    def test_a_shape_that_makes_no_sense_is_named(self, element: str, tmp_path: Path) -> None:
        field, message = BAD[element]
        with pytest.raises(FormatError) as caught:
            read(tmp_path, IN_IMAGE.format(element))
        text = str(caught.value)
        line = xml("").count("\n")
        assert f"annotations.xml, line {line}, field {field!r}: " in text
        assert message in text

    def test_only_the_bad_shape_is_skipped(self, tmp_path: Path) -> None:
        good = '<box label="car" xtl="1" ytl="2" xbr="3" ybr="4"/>'
        found = read(tmp_path, IN_IMAGE.format("".join([good, *BAD, good])), on_error="skip")
        assert (
            next(iter(found)).annotations == [Bbox(1, 2, 2, 2, label=0, attributes={"occluded": False})] * 2
        )
        assert found.report.problem_count == len(BAD)

    def test_an_image_without_a_name(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="field 'name': image: it is missing"):
            read(tmp_path, '<image id="0"/>')

    def test_a_mask_of_an_image_without_a_size(self, tmp_path: Path) -> None:
        body = (
            '<image id="0" name="x"><mask label="car" rle="4" left="0" top="0" width="2" height="2"/></image>'
        )
        with pytest.raises(FormatError, match="the size of its image is unknown"):
            read(tmp_path, body)

    def test_broken_xml(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match=r"annotations.xml, line \d+: the file is not valid XML"):
            read(tmp_path, '<image id="0" name="x"><box></image>')

    @pytest.mark.parametrize(
        "task", ["<mode>interpolation</mode><start_frame>0</start_frame><stop_frame>x</stop_frame>"]
    )
    def test_a_number_in_the_head(self, task: str, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="stop_frame is 'x'; it must be an integer"):
            read(tmp_path, "", task=task)

    def test_a_video_of_absurd_length(self, tmp_path: Path) -> None:
        task = "<mode>interpolation</mode><start_frame>0</start_frame><stop_frame>1999999999</stop_frame>"
        with pytest.raises(FormatError, match="frames 0 to 1999999999 make no sense"):
            read(tmp_path, "", task=task)

    def test_a_label_without_a_name(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="a label has no name"):
            read(tmp_path, "", labels="<label><type>any</type></label>")

    def test_entities_are_not_expanded(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("secret")
        text = xml(
            '<image id="0" name="x"><tag label="road"><attribute name="a">&e;</attribute></tag></image>'
        )
        entity = f'<!DOCTYPE annotations [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
        (tmp_path / "annotations.xml").write_text(text.replace("<annotations>", f"{entity}<annotations>"))
        with pytest.raises(FormatError, match="entities"):
            Dataset.import_from(tmp_path, "cvat")


class TestWriting:
    def one(self, *annotations: Any, labels: Any = ("a", "b"), **options: Any) -> Dataset:
        items = [DatasetItem("x", annotations=list(annotations), image=np.zeros((60, 80, 3), np.uint8))]
        return Dataset.from_iterable(items, categories=labels)

    def back(self, dataset: Dataset, folder: Path, **options: Any) -> list[Any]:
        dataset.export(folder / "out", "cvat", overwrite=True, **options)
        return next(iter(Dataset.import_from(folder / "out", "cvat"))).annotations

    def test_attributes_keep_their_types(self, tmp_path: Path) -> None:
        values = {"flag": True, "count": 3, "share": 0.1, "text": "7", "odd": 'a<b>&"c"\n d\t', "empty": ""}
        before = Label(0, attributes=values)
        assert self.back(self.one(before), tmp_path) == [before]

    def test_spaces_and_signs_in_names(self, tmp_path: Path) -> None:
        names = [' a "b"', "<&>", "new\nline\ttab"]
        dataset = self.one(*map(Label, range(3)), labels=names)
        assert self.back(dataset, tmp_path) == [Label(0), Label(1), Label(2)]
        labels = Dataset.import_from(tmp_path / "out").categories()[AnnotationType.label]
        assert [label.name for label in labels] == names

    def test_crowds_are_an_attribute(self, tmp_path: Path) -> None:
        crowd, other = (Bbox(1, 2, 3, 4, label=0, attributes={"is_crowd": state}) for state in (True, False))
        found = self.back(self.one(crowd, other), tmp_path)
        assert [one.attributes for one in found] == [
            {"occluded": False, "is_crowd": True}, {"occluded": False, "is_crowd": False}
        ]  # fmt: skip

    def test_the_parts_of_an_object_get_a_group(self, tmp_path: Path) -> None:
        import json

        coco = {
            "images": [{"id": 1, "file_name": "x.png", "width": 80, "height": 60}],
            "categories": [{"id": 1, "name": "a"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 1, "iscrowd": 0,
                 "segmentation": [[0, 0, 4, 0, 4, 4], [5, 5, 9, 5, 9, 9.5, 8, 8]]},
                {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 1, "iscrowd": 0,
                 "segmentation": [[1, 1, 2, 1, 2, 2]]},
            ],
        }  # fmt: skip
        (tmp_path / "instances_default.json").write_text(json.dumps(coco))
        found = self.back(Dataset.import_from(tmp_path, "coco"), tmp_path)
        assert [(one.points, one.group) for one in found] == [
            ([0, 0, 4, 0, 4, 4], 1),
            ([5, 5, 9, 5, 9, 9.5, 8, 8], 1),
            ([1, 1, 2, 1, 2, 2], 0),
        ]

    def test_an_empty_mask(self, tmp_path: Path) -> None:
        before = Mask(np.zeros((60, 80), bool), label=0, attributes={"occluded": False})
        assert self.back(self.one(before), tmp_path) == [before]

    def test_the_size_of_an_item_without_an_image_is_that_of_its_mask(self, tmp_path: Path) -> None:
        mask = RleMask(Mask(np.eye(5, 7, dtype=bool)).rle, label=0, attributes={"occluded": False})
        dataset = Dataset.from_iterable([DatasetItem("x", annotations=[mask])], categories=["a"])
        assert self.back(dataset, tmp_path) == [mask]

    @given(
        st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=2),
        st.lists(st.floats(0, 1e5), min_size=2, max_size=2),
    )
    def test_boxes_are_exact(self, tmp_path_factory: pytest.TempPathFactory, corner: Any, size: Any) -> None:
        before = Bbox(*corner, *size, label=0, attributes={"occluded": False})
        (found,) = self.back(self.one(before), tmp_path_factory.mktemp("exact"))
        assert found == before

    def test_annotations_without_a_label_are_counted(self, tmp_path: Path) -> None:
        dataset = self.one(Bbox(1, 2, 3, 4), Caption("x"), Label(0))
        with pytest.raises(
            LossyExportError, match="1 captions and 1 annotations without a label have no place"
        ):
            dataset.export(tmp_path / "out", "cvat", strict=True)
        assert self.back(dataset, tmp_path) == [Label(0)]

    def test_undeclared_attributes(self, tmp_path: Path) -> None:
        labels = {AnnotationType.label: LabelCategories([LabelCategory("a", attributes={"known"})])}
        dataset = self.one(Label(0, attributes={"known": "x", "other": "y"}), labels=labels)
        assert self.back(dataset, tmp_path, allow_undeclared_attrs=False) == [
            Label(0, attributes={"known": "x"})
        ]

    def test_only_annotated(self, tmp_path: Path) -> None:
        items = [DatasetItem("seen", annotations=[Label(0)]), DatasetItem("new")]
        Dataset.from_iterable(items, categories=["a"]).export(tmp_path / "out", "cvat", only_annotated=True)
        assert [item.id for item in Dataset.import_from(tmp_path / "out")] == ["seen"]

    def test_the_status_of_items(self, tmp_path: Path) -> None:
        items = [DatasetItem("seen", status="annotated"), DatasetItem("new")]
        Dataset.from_iterable(items).export(tmp_path / "out", "cvat")
        found = Dataset.import_from(tmp_path / "out")
        assert [(item.id, item.status) for item in found] == [("seen", "annotated"), ("new", None)]

    @pytest.mark.parametrize(("reindex", "numbers"), [(False, [9, 4]), (True, [0, 1])])
    def test_numbers_of_images(self, reindex: bool, numbers: list[int], tmp_path: Path) -> None:
        items = [DatasetItem(f"x{number}", attributes={"frame": number}) for number in (9, 4)]
        Dataset.from_iterable(items).export(tmp_path / "out", "cvat", reindex=reindex)
        found = Dataset.import_from(tmp_path / "out")
        assert [item.attributes["frame"] for item in found] == numbers

    def test_labels_of_one_name(self, tmp_path: Path) -> None:
        labels = {AnnotationType.label: LabelCategories([LabelCategory("a"), LabelCategory("a", "b")])}
        assert self.back(self.one(Label(0), Label(1), labels=labels), tmp_path) == [Label(0), Label(1)]

    def test_points_of_a_skeleton_have_attributes(self, tmp_path: Path) -> None:
        attributes = {"occluded": False, "pose": "x", "eye.open": True, "eye.occluded": True}
        before = Skeleton([1, 2, 3, 4.5], [2, 0], ["nose", "eye"], label=1, attributes=attributes)
        assert self.back(self.one(before), tmp_path) == [before]

    def test_key_points_of_labels_without_skeletons(self, tmp_path: Path) -> None:
        labels = {
            AnnotationType.label: LabelCategories.from_iterable(["a"]),
            AnnotationType.points: PointsCategories.from_iterable(
                [(0, ["nose", "eye", "ear"], {(0, 1), (2, 0)})]
            ),
        }
        before = Points([1, 2, 3, 4, 5, 6], [2, 1, 0], label=0, attributes={"occluded": False})
        assert self.back(self.one(before, labels=labels), tmp_path) == [before]
        assert Dataset.import_from(tmp_path / "out").categories() == labels
        assert "<type>skeleton</type>" not in (tmp_path / "out" / "default.xml").read_text()

    def test_characters_that_xml_cannot_hold(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="XML cannot hold the character"):
            self.back(self.one(Label(0, attributes={"a": "\x00"})), tmp_path)
        assert not (tmp_path / "out").exists()


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(
    ["true", "1", " x ", "\n"]
)
VALUES = {
    "text": TEXT,
    "whole": st.integers(-(10**9), 10**9),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "flag": st.booleans(),
}
NUMBER = st.floats(-1e5, 1e5, allow_subnormal=False)


@st.composite
def annotation(draw: Any) -> Any:
    attributes = draw(st.fixed_dictionaries({"occluded": st.booleans()}, optional=VALUES))
    common = {"label": draw(st.integers(0, 1)), "attributes": attributes, "group": draw(st.integers(0, 3))}
    common["source"] = draw(st.none() | TEXT.filter(bool))
    kind = draw(st.sampled_from([Bbox, Ellipse, Polygon, PolyLine, Points, Label]))
    if kind is Label:
        return Label(
            **{**common, "attributes": {name: one for name, one in attributes.items() if name != "occluded"}}
        )
    common["z_order"] = draw(st.integers(-5, 5))
    if kind is Bbox:
        return Bbox(
            draw(NUMBER), draw(NUMBER), abs(draw(NUMBER)), abs(draw(NUMBER)), rotation=draw(NUMBER), **common
        )
    if kind is Ellipse:
        x, y, w, h = (draw(st.integers(-1000, 1000)) / 8 for _ in range(4))
        return Ellipse(x, y, x + abs(w), y + abs(h), rotation=draw(NUMBER), **common)
    count = draw(st.integers(3, 6))
    return kind([draw(NUMBER) for _ in range(2 * count)], **common)


@given(
    st.lists(st.lists(annotation(), max_size=4), max_size=3),
    st.lists(TEXT.filter(str.strip), min_size=2, max_size=2),
)
def test_any_annotations_come_back(
    tmp_path_factory: pytest.TempPathFactory, items: Any, names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    labels = [f"{at}{name}" for at, name in enumerate(names)]
    before = [
        DatasetItem(f"ü {at}.x", annotations=annotations, subset="a/b", attributes={"frame": at})
        for at, annotations in enumerate(items)
    ]
    dataset = Dataset.from_iterable(before, categories=labels)
    dataset.export(folder / "out", "cvat", strict=True)
    if items:
        after = Dataset.import_from(folder / "out", "cvat")
        assert [label.name for label in after.categories()[AnnotationType.label]] == labels
        assert [(one.id, one.subset, one.annotations) for one in after] == [
            (one.id, one.subset, one.annotations) for one in before
        ]


def test_attributes_of_old_files(tmp_path: Path) -> None:
    labels = "<label><name>car</name><attributes><attribute>~checkbox=parked:false</attribute></attributes></label>"
    found = read(tmp_path, "", labels=labels).categories()[AnnotationType.label]
    assert found == LabelCategories([LabelCategory("car", attributes={"parked"})])
