"""Items of annotated datasets."""

from __future__ import annotations

import copy
import pickle
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ddfast.annotated import Bbox, DatasetItem, Image, Label, PointCloud, Video
from ddfast.annotated.item import relative_name
from ddfast.errors import ItemError, MediaError


def test_defaults_are_those_that_are_documented():
    item = DatasetItem(id=0)
    assert (item.id, item.subset, item.annotations, item.attributes, item.path) == (
        "0",
        "default",
        [],
        {},
        [],
    )
    assert (item.image, item.point_cloud, item.media, item.status) == (None, None, None, None)
    assert item.related_images == []
    assert not item.has_image
    assert not item.has_point_cloud
    assert DatasetItem("a", subset="") == DatasetItem("a", subset=None) == DatasetItem("a", [], "default")


@pytest.mark.parametrize(
    "image", [np.ones((5, 5, 3)), "a.png", lambda: np.ones((5, 5, 3)), b"bytes", Image(path="a.png")]
)
def test_image_may_be_given_in_many_forms(image):
    item = DatasetItem(1, image=image)
    assert item.has_image
    assert isinstance(item.image, Image)
    assert item.media is item.image
    assert item.media_as(Image) is item.image


def test_media_are_images_point_clouds_or_others():
    assert DatasetItem(1, media="a.png").image.path == "a.png"
    assert DatasetItem(1, media=Image(path="a.png")).has_image
    assert DatasetItem(1, media=Video("a.mp4")).media == Video("a.mp4")
    for item in (
        DatasetItem(1, point_cloud="a\\b.pcd", related_images=["c.png"]),
        DatasetItem(1, pcd="a/b.pcd", related_images=["c.png"]),
    ):
        assert item.has_point_cloud
        assert item.point_cloud == "a/b.pcd"
        assert item.related_images == [Image(path="c.png")]
        assert item.media == PointCloud("a/b.pcd", ["c.png"])
        assert item.image is None


def test_wrap_changes_what_it_is_told_and_nothing_else():
    item = DatasetItem("a", [Label(1)], "train", ["g"], image="a.png", attributes={"x": 1}, status="done")
    same = item.wrap()
    assert same == item
    same.annotations.append(Label(2))
    same.attributes["y"] = 2
    assert item == DatasetItem(
        "a", [Label(1)], "train", ["g"], image="a.png", attributes={"x": 1}, status="done"
    )
    assert item.wrap(id="b", subset="val").image is item.image
    assert item.wrap(image=None).media is None
    assert item.wrap(media=None).media is None
    assert item.wrap(image="b.png").image.path == "b.png"
    assert item.wrap(point_cloud="a.pcd").has_point_cloud


def test_wrap_changes_one_of_point_cloud_and_images():
    item = DatasetItem("a", point_cloud="a.pcd", related_images=["b.png"])
    assert item.wrap(related_images=[]) == DatasetItem("a", point_cloud="a.pcd")
    assert item.wrap(point_cloud="c.pcd") == DatasetItem("a", point_cloud="c.pcd", related_images=["b.png"])


def test_items_are_equal_if_all_values_are():
    item = DatasetItem("a", [Bbox(1, 2, 3, 4)], image=np.ones((2, 2)))
    assert item == DatasetItem("a", [Bbox(1, 2, 3, 4)], image=np.ones((2, 2)))
    assert copy.deepcopy(item) == item == pickle.loads(pickle.dumps(item))
    for changes in (
        {"id": "b"},
        {"subset": "b"},
        {"annotations": []},
        {"attributes": {"a": 1}},
        {"status": "b"},
        {"path": ["b"]},
        {"image": np.zeros((2, 2))},
    ):
        assert item.wrap(**changes) != item
    assert item != "a"
    assert (
        repr(item) == "DatasetItem(id='a', subset='default', 1 annotations, media=Image(pixels, size=(2, 2)))"
    )


@given(st.text(min_size=1))
def test_id_is_a_path_within_the_folder_or_refused(name):
    try:
        item = DatasetItem(name)
    except ItemError:
        slashed = name.replace("\\", "/")
        parts = PurePosixPath(slashed).parts
        assert (
            "\0" in name
            or slashed.startswith("/")
            or slashed[1:2] == ":"
            or not parts
            or any(part.startswith("..") for part in parts)
        )
        return
    assert item.id == PurePosixPath(name.replace("\\", "/")).as_posix()
    assert relative_name("id", item.id) == item.id


@given(st.lists(st.text("ab.é ", min_size=1), min_size=1).map("/".join))
def test_ids_differ_if_their_paths_do(name):
    assume(not any(part.startswith("..") or part == "." for part in name.split("/")))
    assert DatasetItem(name).id == name


def test_backslashes_become_slashes_and_empty_parts_vanish():
    assert DatasetItem("a\\b/./c//d").id == "a/b/c/d"
    assert DatasetItem("./a.b").id == "a.b"
    assert DatasetItem("a", subset="x\\y").subset == "x/y"


@pytest.mark.parametrize(
    "name",
    ["..", "../a", "a/../../b", "/a", "\\a", "\\\\server\\a", "C:/a", "c:a", "a\\..\\b", "a/.. /b", "..."],
)
def test_name_that_leaves_the_folder_is_refused(name):
    with pytest.raises(
        ItemError, match=r"the id of an item is .*; it must stay in the folder of its dataset"
    ):
        DatasetItem(name)
    with pytest.raises(
        ItemError, match=r"the subset of an item is .*; it must stay in the folder of its dataset"
    ):
        DatasetItem("a", subset=name)
    item = DatasetItem("a")
    with pytest.raises(ItemError, match="it must stay in the folder"):
        item.id = name
    assert item.id == "a"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DatasetItem(""), "the id of an item is ''; it must be a name"),
        (lambda: DatasetItem("."), "the id of an item is '.'; it must be a name"),
        (lambda: DatasetItem("a\0"), r"the id of an item is 'a\\x00'; it must be a name"),
        (lambda: DatasetItem("a", annotations=[1]), "item 'a' has the annotation 1; it must be an Annotation"),
        (lambda: DatasetItem("a", attributes=[1]), r"attributes of item 'a' are \[1\]; they must be a dict"),
        (lambda: DatasetItem("a", status=1), "the status of item 'a' is 1; it must be a string"),
        (lambda: DatasetItem("a", media=5), "item 'a' has media 5; it must be a MediaElement or a path"),
        (lambda: DatasetItem("a", image="b", point_cloud="c"), "item 'a' has image and point_cloud; give one"),
        (lambda: DatasetItem("a", image="b", media="c"), "item 'a' has media and image; give one"),
        (lambda: DatasetItem("a", image="b", related_images=["c"]), "item 'a' has related images, but no point cloud"),
        (lambda: DatasetItem("a", image="b").media_as(Video), "which is no Video"),
    ],
)  # fmt: skip
def test_item_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(ItemError, match=message):
        make()


def test_image_that_is_none_is_refused():
    with pytest.raises(MediaError, match=r"Image\.data has shape \(\)"):
        DatasetItem("a", image=5)
