"""Datumaro's format: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfast.annotated import (
    AnnotationType,
    Bbox,
    Caption,
    Cuboid3d,
    Dataset,
    DatasetItem,
    Ellipse,
    Image,
    Label,
    LabelCategories,
    Mask,
    MaskCategories,
    Points,
    PointsCategories,
    Polygon,
    PolyLine,
    Skeleton,
    Span,
)
from ddfast.errors import FormatError
from ddfast.formats.datumaro.records import ANNOTATIONS, SHAPES
from ddfast.testing.formats import FormatTests

LABELS = {
    "label": {
        "labels": [
            {"name": "cat", "parent": "", "attributes": []},
            {"name": "dog", "parent": "cat", "attributes": ["breed"]},
        ],
        "attributes": ["occluded"],
    }
}

# As version 0.1.11 of Datumaro writes it.
OLD = {
    "info": {},
    "categories": LABELS,
    "items": [
        {
            "id": "a/1.left",
            "annotations": [
                {"id": 0, "type": "caption", "attributes": {}, "group": 0, "caption": "hello"},
                {
                    "id": 5, "type": "bbox", "attributes": {"is_crowd": True, "x": 1}, "group": 2, "label_id": 0,
                    "z_order": 4, "bbox": [1.0, 2.0, 3.25, 4.0],
                },
                {
                    "id": 6, "type": "polygon", "attributes": {}, "group": 2, "label_id": 1,
                    "points": [0.0, 0.0, 4.0, 0.0, 4.0, 3.0], "z_order": 0,
                },
                {"id": 0, "type": "label", "attributes": {}, "group": 0, "label_id": 1},
            ],
            "attr": {"frame": 1},
            "image": {"size": [4, 6], "path": "a/1.left.png"},
        },
        {"id": "2", "annotations": [], "image": {"path": ""}},
        {"id": "3", "annotations": []},
    ],
}  # fmt: skip


def written(folder: Path, form: Any, subset: str = "train") -> Path:
    """A dataset of one annotation file."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / f"{subset}.json").write_text(json.dumps(form), "utf-8")
    return folder


def with_annotations(*annotations: Any, **item: Any) -> dict[str, Any]:
    """The form of a file with one item."""
    return {"categories": LABELS, "items": [{"id": "one", "annotations": list(annotations), **item}]}


def image_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Image(data=np.zeros((4, 6, 3), np.uint8)).encode(".png"))


def mask() -> Mask:
    pixels = np.zeros((4, 6), bool)
    pixels[1:3, 2:5] = True
    return Mask(pixels, label=1, z_order=2)


def every_type() -> Dataset:
    """A dataset with all types of annotations and everything that they can have."""
    common: Any = {
        "id": 9,
        "group": 3,
        "attributes": {"occluded": False, "age": 3, "weight": 0.1, "name": "ä", "list": [1, None]},
        "track": 7,
        "frame": 2,
        "score": 0.25,
        "author": "me",
        "source": "manual",
        "status": "accepted",
        "created": "2024-05-17T08:30:00Z",
    }
    annotations = [
        Label(1, **common),
        Bbox(1.123456789012345, 2, 3, 4.1, label=0, rotation=30, z_order=-3, **common),
        Polygon([0.1, 0.2, 3, 4, 5.55555, 6], label=1, attributes={"is_crowd": False}),
        Polygon([1e-7, 1e22, 3, 4, 5, 6]),
        PolyLine([1, 2, 3, 4], label=None, attributes={"is_crowd": True, "a": "b"}),
        Points([1, 2, 3, 4], [0, 1], label=1),
        Skeleton([1, 2, 3, 4], [2, 1], ["nose", "ear"], label=1),
        Skeleton([1, 2, 3, 4], [2, 1], None, label=1),
        mask(),
        Caption('"quotes" \\ \n \u2028 日本語', id=4),
        Cuboid3d([1.5, 2, 3], [0.1, 0.2, 0.3], [1, 2, 3], label=0),
        Ellipse(1, 2, 3, 4.5, label=0),
        Span(1, 3, label=1, text="ab"),
    ]
    image = np.zeros((4, 6, 3), np.uint8)
    items = [
        DatasetItem("a/b.c", annotations, subset="train", attributes={"id": 7, "x": "ü"}, image=image),
        DatasetItem("empty", subset="train", image=image, status="annotated"),
        DatasetItem("no image", [Label(0)], subset="val"),
    ]
    labels = LabelCategories.from_iterable(["x", ("y", "x", ["q"])])
    labels.add_label_group("both", ["x", "y"], "inclusive")
    return Dataset.from_iterable(
        items,
        categories={
            AnnotationType.label: labels,
            AnnotationType.mask: MaskCategories.generate(3),
            AnnotationType.points: PointsCategories.from_iterable(
                [(1, ["nose", "ear"], [(0, 1)], [1, 2, 3, 4])]
            ),
        },
    )


class TestDatumaro(FormatTests):
    format = "datumaro"

    def test_all_types_and_fields_survive(self, tmp_path: Path) -> None:
        before = every_type()
        assert not before.export(tmp_path / "out", "datumaro", save_media=True, strict=True).lost
        after = Dataset.import_from(tmp_path / "out")
        assert after.format == "datumaro"
        assert after.categories() == before.categories()
        assert [(item.subset, item.id) for item in after] == [(item.subset, item.id) for item in before]
        for item in before:
            found = after.get(item.id, item.subset)
            assert found is not None
            assert found == item

    def test_save_writes_this_format(self, tmp_path: Path) -> None:
        every_type().save(tmp_path / "out")
        assert Dataset.import_from(tmp_path / "out").format == "datumaro"

    def test_written_form(self, tmp_path: Path) -> None:
        every_type().export(tmp_path / "out", "datumaro")
        form = json.loads((tmp_path / "out/annotations/train.json").read_text("utf-8"))
        assert (form["dm_format_version"], form["media_type"], form["infos"]) == ("1.0", 2, {})
        assert form["categories"]["label"]["labels"][1] == {"name": "y", "parent": "x", "attributes": ["q"]}
        assert form["categories"]["mask"]["colormap"][1] == {"label_id": 1, "r": 128, "g": 0, "b": 0}
        item = form["items"][0]
        assert item["image"] == {"path": "a/b.c.png", "size": [4, 6]}
        assert item["attr"] == {"id": 7, "x": "ü"}
        assert item["annotations"][2] == {
            "id": 0, "type": "polygon", "attributes": {"is_crowd": False}, "group": 0, "label_id": 1,
            "points": [0.1, 0.2, 3, 4, 5.55555, 6], "z_order": 0,
        }  # fmt: skip
        assert item["annotations"][1]["bbox"] == [1.123456789012345, 2, 3, 4.1]
        assert form["items"][1]["annotations"] == []

    def test_several_parts_become_polygons_of_one_group(self, tmp_path: Path) -> None:
        coco = {
            "images": [{"id": 1, "file_name": "x.jpg", "height": 9, "width": 9}],
            "categories": [{"id": 0, "name": "cat"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 0, "segmentation": [[0, 0, 4, 0, 4, 3]]},
                {
                    "id": 2,
                    "image_id": 1,
                    "category_id": 0,
                    "segmentation": [[1, 1, 2, 2, 3, 5], [5, 5, 6, 6, 7, 9]],
                },
                {"id": 3, "image_id": 1, "category_id": 0, "segmentation": [[0, 0, 4, 0, 4, 3]]},
            ],
        }
        (tmp_path / "instances_val.json").write_text(json.dumps(coco))
        before = Dataset.import_from(tmp_path / "instances_val.json")
        before.export(tmp_path / "out", "datumaro")
        assert [a.annotations for a in Dataset.import_from(tmp_path / "out")] == [
            a.annotations for a in before
        ]

    @given(
        st.lists(
            st.lists(st.sampled_from(["label", "bbox", "polygon", "mask", "caption"]), max_size=6), max_size=5
        )
    )
    def test_annotations_keep_their_items_and_order(self, kinds: list[list[str]]) -> None:
        make: Any = {
            "label": lambda n: Label(n % 2, id=n),
            "bbox": lambda n: Bbox(n, 1, 2, 3, id=n),
            "polygon": lambda n: Polygon([n, 1, 2, 3, 4, 5], id=n),
            "mask": lambda n: mask().wrap(id=n),
            "caption": lambda n: Caption(f"{n}", id=n),
        }
        items = [
            DatasetItem(
                f"{number}", [make[kind](place + 1) for place, kind in enumerate(own)], image=np.zeros((4, 6))
            )
            for number, own in enumerate(kinds)
        ]
        with tempfile.TemporaryDirectory() as folder:
            Dataset.from_iterable(items, ["a", "b"]).export(Path(folder) / "x", "datumaro")
            if items:
                found = list(Dataset.import_from(Path(folder) / "x", "datumaro"))
                assert [item.annotations for item in found] == [item.annotations for item in items]

    def test_only_annotated_leaves_out_items_that_nobody_looked_at(self, tmp_path: Path) -> None:
        dataset = every_type()
        dataset.put(DatasetItem("later", subset="train"))
        dataset.export(tmp_path / "out", "datumaro", only_annotated=True)
        found = Dataset.import_from(tmp_path / "out")
        assert [item.id for item in found] == ["a/b.c", "empty", "no image"]
        assert [item.status for item in found] == [None, "annotated", None]

    def test_media_of_other_kinds(self, tmp_path: Path) -> None:
        (tmp_path / "scene.pcd").write_bytes(b"points")
        item = DatasetItem("a/scene", subset="train", point_cloud=str(tmp_path / "scene.pcd"))
        Dataset.from_iterable([item]).export(tmp_path / "out", "datumaro", save_media=True)
        assert (tmp_path / "out/point_clouds/train/a/scene.pcd").read_bytes() == b"points"
        form = json.loads((tmp_path / "out/annotations/train.json").read_text())
        assert form["media_type"] == 6
        assert form["items"][0]["point_cloud"] == {"path": "a/scene.pcd"}
        found = next(iter(Dataset.import_from(tmp_path / "out")))
        assert found.media is not None
        assert found.media.bytes == b"points"


class TestReading:
    def test_old_form(self, tmp_path: Path) -> None:
        image_file(tmp_path / "images/a/1.left.png")
        image_file(tmp_path / "images/2.PNG")
        dataset = Dataset.import_from(written(tmp_path, OLD))
        assert dataset.format == "datumaro"
        assert dataset.categories()[AnnotationType.label] == LabelCategories.from_iterable(
            ["cat", ("dog", "cat", ["breed"])]
        )
        first, second, third = dataset
        assert first.annotations == [
            Caption("hello"),
            Bbox(1, 2, 3.25, 4, label=0, z_order=4, id=5, group=2, attributes={"is_crowd": True, "x": 1}),
            Polygon([0, 0, 4, 0, 4, 3], label=1, id=6, group=2),
            Label(1),
        ]
        assert (first.id, first.subset, first.attributes) == ("a/1.left", "train", {"frame": 1})
        assert first.image is not None
        assert first.image.path == str(tmp_path / "images/a/1.left.png")
        assert first.image.size == (4, 6)
        assert second.image is not None
        assert second.image.path == str(tmp_path / "images/2.PNG")
        assert third.media is None
        areas = dataset.annotations_table().column("area").to_pylist()
        assert areas == [None, 13.0, 6.0, None]

    def test_images_below_the_subset_with_full_or_foreign_paths(self, tmp_path: Path) -> None:
        for name in ("a_b.png", "c.png", "日本.JPG"):
            image_file(tmp_path / "images/train" / name)
        items = [
            {"id": "a/b", "annotations": [], "image": {"path": "a_b.png"}},
            {"id": "c", "annotations": [], "image": {"path": "/data/raw/c.png"}},
            {"id": "日本", "annotations": [], "image": {"path": "sub\\日本.jpg"}},
            {"id": "d", "annotations": [], "image": {"path": "../../etc/passwd.png"}},
        ]
        dataset = Dataset.import_from(written(tmp_path, {"categories": {}, "items": items}))
        paths = [item.media and item.media.path for item in dataset]
        root = f"{tmp_path}/images/train"
        assert paths == [f"{root}/a_b.png", f"{root}/c.png", f"{root}/日本.JPG", "d.png"]

    def test_numbers_as_ids_and_backslashes(self, tmp_path: Path) -> None:
        form = {"categories": {}, "items": [{"id": 17, "annotations": []}, {"id": "a\\b", "annotations": []}]}
        assert [item.id for item in Dataset.import_from(written(tmp_path, form))] == ["17", "a/b"]

    def test_categories_behind_items(self, tmp_path: Path) -> None:
        form = {"dm_format_version": "1.0", "items": OLD["items"], "categories": LABELS}
        assert len(Dataset.import_from(written(tmp_path, form)).categories()) == 1

    def test_subsets_of_files(self, tmp_path: Path) -> None:
        written(tmp_path, with_annotations(), "train")
        written(tmp_path, with_annotations(), "my val.v2")
        assert list(Dataset.import_from(tmp_path).subsets()) == ["my val.v2", "train"]
        assert list(Dataset.import_from(tmp_path / "annotations/train.json").subsets()) == ["train"]

    def test_skeletons_of_cvat(self, tmp_path: Path) -> None:
        elements = [
            {
                "type": "points",
                "label_id": 1,
                "points": [1.5, 2],
                "visibility": [1],
                "id": 0,
                "attributes": {},
            },
            {"type": "points", "label_id": 0, "points": [3, 4]},
        ]
        form = with_annotations(
            {"type": "skeleton", "id": 3, "label_id": 0, "elements": elements, "z_order": 1}
        )
        item = next(iter(Dataset.import_from(written(tmp_path, form))))
        assert item.annotations == [
            Skeleton([1.5, 2, 3, 4], [1, 2], ["dog", "cat"], label=0, id=3, z_order=1)
        ]

    def test_what_the_tables_cannot_hold_is_noted(self, tmp_path: Path) -> None:
        items = [
            {"id": "1", "point_cloud": {"path": "1.pcd"}, "related_images": [{"path": "1.jpg"}]},
            {"id": "2", "video_frame": {"video_path": "a.mp4", "frame_index": 4}},
        ]
        dataset = Dataset.import_from(written(tmp_path, {"categories": {}, "items": items}))
        assert [item.media and item.media.path for item in dataset] == ["1.pcd", "a.mp4"]
        assert dataset.report.notes == [
            "related images of 1 items were left out", "numbers of video frames of 1 items were left out",
        ]  # fmt: skip

    def test_label_without_categories(self, tmp_path: Path) -> None:
        form = {"categories": {}, "items": [{"id": "x", "annotations": [{"type": "label", "label_id": 3}]}]}
        assert next(iter(Dataset.import_from(written(tmp_path, form)))).annotations == [Label(3)]

    def test_other_categories_in_a_second_file(self, tmp_path: Path) -> None:
        written(tmp_path, with_annotations(), "a")
        written(tmp_path, {"categories": {"label": {"labels": [{"name": "z"}]}}, "items": []}, "b")
        with pytest.raises(FormatError, match=r"b\.json has other label categories"):
            Dataset.import_from(tmp_path)


WRONG = [
    ({"type": "blob"}, "type", "there is no type 'blob'"),
    ({}, "type", "missing"),
    ({"type": "label"}, "label_id", "missing"),
    ({"type": "label", "label_id": 2}, "label_id", "there is no label 2; there are 2"),
    ({"type": "label", "label_id": -1}, "label_id", "there is no label -1"),
    ({"type": "label", "label_id": "cat"}, "label_id", '"cat" is not an integer'),
    ({"type": "label", "label_id": 0, "id": 1.5}, "id", "1.5 is not an integer"),
    ({"type": "bbox", "bbox": [1, 2, 3]}, "bbox", "has 3 numbers; it must have 4 numbers"),
    ({"type": "bbox", "bbox": [1, 2, -3, 4]}, "bbox", "negative"),
    ({"type": "bbox", "bbox": [1, 2, "3", 4]}, "bbox", "must be a list of 4 numbers"),
    ({"type": "bbox"}, "bbox", "must be a list of 4 numbers"),
    ({"type": "bbox", "bbox": [1, 2, float("nan"), 4]}, "bbox", "a number is not finite"),
    ({"type": "bbox", "bbox": [1, 2, 3, 4], "attributes": [1]}, "attributes", "not an object"),
    ({"type": "bbox", "bbox": [1, 2, 3, 4], "z_order": 2**40}, "z_order", "32 bits"),
    ({"type": "polygon", "points": [1, 2, 3]}, "points", "has 3 numbers; it must have an even number of at least 6"),
    ({"type": "polyline", "points": [1, 2, 3]}, "points", "even number of at least 2"),
    ({"type": "points", "points": [1, 2], "visibility": [1, 2]}, "visibility", "must have 1 numbers"),
    ({"type": "points", "points": [1, 2], "visibility": [3]}, "visibility", "0, 1 or 2"),
    ({"type": "points", "points": [1, 2], "names": ["a", "b"]}, "names", "1 different names"),
    ({"type": "skeleton", "elements": [{"label_id": 7, "points": [1, 2]}]}, "elements", "a list of labelled points"),
    ({"type": "points", "points": [1, 2, 3, 4], "names": ["a", "a"]}, "names", "2 different names"),
    ({"type": "skeleton", "elements": []}, "elements", "a list of labelled points"),
    ({"type": "skeleton"}, "elements", "a list of labelled points"),
    ({"type": "ellipse", "points": [5, 5, 1, 1]}, "points", "negative"),
    ({"type": "mask", "rle": {"counts": "1", "size": [4, 6]}}, "rle", ""),
    ({"type": "mask", "rle": {"counts": "=33000a0"}}, "rle", "with 'size' and 'counts'"),
    ({"type": "mask"}, "rle", ""),
    ({"type": "caption"}, "caption", "missing"),
    ({"type": "cuboid_3d", "position": [1, 2, 3], "rotation": [1, 2], "scale": [1, 1, 1]}, "rotation", "2 numbers"),
    ({"type": "span", "start": 4, "end": 2}, "end", "4 to 2"),
]  # fmt: skip


JSON_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**63 - 1, -(2**63), 2**70, 1e308, -0.5, float("nan"), float("inf")]),
    st.text(max_size=3),
    st.sampled_from(
        [{"counts": "=33000a0", "size": [4, 6]}, {"counts": [24], "size": [4, 6]}, {"is_crowd": 1}, {}]
    ),
    st.lists(st.one_of(st.integers(-3, 300), st.none(), st.text(max_size=2), st.floats(-9, 9)), max_size=7),
    st.lists(
        st.dictionaries(st.sampled_from(["points", "label_id", "visibility"]), st.lists(st.integers(0, 2))),
        max_size=2,
    ),
)
ANNOTATION = st.fixed_dictionaries(
    {"type": st.sampled_from([*SHAPES, "blob"])},
    optional={
        **dict.fromkeys([*ANNOTATIONS][1:-1], JSON_VALUES),
        "bbox": st.lists(st.floats(0, 9), min_size=4, max_size=4),
        "points": st.lists(st.floats(-9, 9), min_size=4, max_size=8),
        "visibility": st.lists(st.integers(0, 2), min_size=2, max_size=4),
        "label_id": st.one_of(st.integers(0, 1), JSON_VALUES),
    },
)


class TestErrors:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(ANNOTATION, max_size=4))
    def test_any_annotation_is_read_or_refused(self, annotations: list[Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = written(Path(folder), with_annotations(*annotations))
            dataset = Dataset.import_from(source, "datumaro", on_error="skip")
            (item,) = dataset
            assert len(item.annotations) + dataset.report.problem_count >= len(annotations)
            dataset.export(source / "out", "datumaro")
            assert next(iter(Dataset.import_from(source / "out", "datumaro"))) == item

    @pytest.mark.parametrize(("annotation", "field", "message"), WRONG, ids=lambda value: str(value)[:40])
    def test_annotations_that_make_no_sense(
        self, tmp_path: Path, annotation: Any, field: str, message: str
    ) -> None:
        good = {"type": "label", "label_id": 1}
        folder = written(tmp_path, with_annotations(good, annotation, good))
        with pytest.raises(
            FormatError, match=rf"train\.json, annotation 1 of item 'one', field '{field}'"
        ) as error:
            Dataset.import_from(folder)
        assert message in str(error.value)
        dataset = Dataset.import_from(folder, on_error="skip")
        assert next(iter(dataset)).annotations == [Label(1), Label(1)]
        assert dataset.report.problem_count == 1

    @pytest.mark.parametrize(
        ("item", "message"),
        [
            ({"annotations": []}, "number 1 of items, field 'id': it needs an id"),
            ({"id": "one", "annotations": []}, "item 'one', field 'id': an item before it has the same id"),
            ({"id": "x", "annotations": {"a": 1}}, "item 'x', field 'annotations': it is not a list"),
            ({"id": "x", "attr": 5}, "item 'x', field 'attr': they are not an object"),
            ({"id": "x", "image": 5}, "item 'x', field 'image': it is not an object with a path"),
            (
                {"id": "x", "image": {"path": "", "size": [3]}},
                r"field 'image': the size is \[3\], not height",
            ),
        ],
    )
    def test_items_that_make_no_sense(self, tmp_path: Path, item: Any, message: str) -> None:
        form = with_annotations()
        form["items"].append(item)
        folder = written(tmp_path, form)
        with pytest.raises(FormatError, match=rf"train\.json, .*{message}"):
            Dataset.import_from(folder)
        assert Dataset.import_from(folder, on_error="skip").report.problem_count == 1

    @pytest.mark.parametrize(
        ("form", "message"),
        [
            ({"categories": {"label": {"labels": [{"parent": ""}]}}, "items": []}, "'name' is missing"),
            ({"dm_format_version": "1.0", "items": []}, "has no categories"),
            ({"categories": {}, "items": {"a": 1}}, "'items' is not a list"),
            ({"dm_format_version": "1.0", "categories": [], "items": []}, "must be an object"),
        ],
    )
    def test_files_that_make_no_sense(self, tmp_path: Path, form: Any, message: str) -> None:
        with pytest.raises(FormatError, match=message):
            Dataset.import_from(written(tmp_path, form), "datumaro")

    def test_broken_json_names_line_and_column(self, tmp_path: Path) -> None:
        folder = written(tmp_path, OLD)
        path = folder / "annotations/train.json"
        path.write_text('{"categories": {},\n"items": [{"id": "x",\n "annotations": [1 2]}]}')
        with pytest.raises(ValueError, match=r"train\.json.*line 3"):
            Dataset.import_from(folder, "datumaro")

    def test_folder_without_annotation_files(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="no annotation files of Datumaro"):
            Dataset.import_from(tmp_path, "datumaro")
