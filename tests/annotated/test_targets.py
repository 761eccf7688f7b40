"""Targets of samples and batches for all tasks."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ddfast import MsgpackReader
from ddfast.annotated import (
    Bbox,
    Caption,
    Dataset,
    DatasetItem,
    Label,
    Mask,
    Points,
    Polygon,
    batch_targets,
    sample_targets,
)
from ddfast.errors import TaskError

SQUARE = [2, 2, 8, 2, 8, 8, 2, 8]
TRIANGLE = [0, 0, 5, 0, 0, 5]


@pytest.fixture
def image():
    return np.zeros((10, 12, 3), np.uint8)


def batch_of(tmp_path, items, labels=("x", "y", "z")):
    Dataset.from_iterable(items, categories=labels).export(tmp_path / "x.msgpack")
    with MsgpackReader(tmp_path / "x.msgpack") as reader:
        (batch,) = reader.batches(len(items))
        return batch


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_masks_of_instances_are_those_of_pycocotools(tmp_path, image):
    mask = np.zeros((10, 12), bool)
    mask[1:3, 4:7] = True
    annotations = [Polygon(SQUARE, label=1), Caption("a"), Mask(mask, label=2), Bbox(1, 1, 3, 2, label=0)]
    batch = batch_of(tmp_path, [DatasetItem("a", annotations=annotations, image=image), DatasetItem("b")])
    first, second = batch.targets("instance")
    assert first["labels"].tolist() == [1, 2, 0]
    assert first["masks"].shape == (3, 10, 12)
    assert first["masks"].dtype == np.uint8
    rle = coco_mask.frPyObjects([SQUARE], 10, 12)
    assert np.array_equal(first["masks"][0], coco_mask.decode(rle)[:, :, 0])
    assert np.array_equal(first["masks"][1], mask)
    assert first["masks"][2].sum() == 6
    assert second["boxes"].shape == (0, 4)
    assert len(second["masks"]) == 0


def test_the_annotation_in_front_gives_the_label_of_a_pixel(tmp_path, image):
    annotations = [
        Polygon(SQUARE, label=1, z_order=1),
        Polygon(TRIANGLE, label=2),
        Polygon([4, 4, 6, 4, 6, 6, 4, 6], label=0, z_order=1),
    ]
    batch = batch_of(tmp_path, [DatasetItem("a", annotations=annotations, image=image)])
    (target,) = batch.targets("semantic")
    assert target["mask"].dtype == np.uint8
    assert target["mask"][5, 5] == 0
    assert target["mask"][3, 3] == 1
    assert target["mask"][0, 0] == 2
    assert target["mask"][9, 11] == 255


def test_more_than_255_labels_need_wider_maps(tmp_path, image):
    labels = [str(number) for number in range(300)]
    batch = batch_of(
        tmp_path, [DatasetItem("a", annotations=[Polygon(SQUARE, label=299)], image=image)], labels
    )
    (target,) = batch.targets("semantic")
    assert target["mask"].dtype == np.int32
    assert target["mask"][5, 5] == 299
    assert target["mask"][0, 0] == -1


def test_keypoints_are_padded_within_a_sample(tmp_path):
    annotations = [
        Label(0),
        Points([1, 2, 3, 4, 5, 6], [2, 1, 0], label=1),
        Bbox(0, 0, 1, 1),
        Points([7, 8], label=2),
    ]
    (target,) = batch_of(tmp_path, [DatasetItem("a", annotations=annotations)]).targets("keypoints")
    assert target["labels"].tolist() == [1, 2]
    assert target["keypoints"].dtype == np.float32
    assert target["keypoints"].tolist() == [
        [[1, 2, 2], [3, 4, 1], [5, 6, 0]],
        [[7, 8, 2], [0, 0, 0], [0, 0, 0]],
    ]
    assert target["boxes"].tolist() == [[1, 2, 3, 4], [7, 8, 7, 8]]


def test_samples_and_batches_give_the_same(tmp_path, image):
    annotations = [Polygon(SQUARE, label=1), Points([1, 2], label=0), Caption("c")]
    batch = batch_of(tmp_path, [DatasetItem("a", annotations=annotations, image=image)] * 1)
    for task in ("classification", "detection", "instance", "semantic", "keypoints", "caption"):
        (one,) = batch.targets(task)
        other = sample_targets(batch[0], task)
        assert one.keys() == other.keys()
        np.testing.assert_equal(one, other)


def test_masks_of_a_sample_without_a_size_are_an_error(tmp_path):
    batch = batch_of(tmp_path, [DatasetItem("a", annotations=[Polygon(SQUARE, label=1)])])
    with pytest.raises(TaskError, match="Sample 'a' has no height and width"):
        batch.targets("instance")


def test_batch_targets_of_an_empty_list():
    assert len(batch_targets([], "detection")) == 0
    assert batch_targets([], "caption") == []
