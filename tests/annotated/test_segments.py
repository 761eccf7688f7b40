"""Mask annotations and compiled masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ddfast.annotated import Bbox, CompiledMask, Mask, RleMask, masks
from ddfast.errors import AnnotationError

bitmaps = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8))
ROW = np.array([[1, 0, 0, 1, 1]])


@given(bitmaps, st.none() | st.integers(0, 300))
def test_mask_is_the_same_in_every_form(bitmap, label):
    forms = [
        Mask(bitmap, label=label),
        Mask(bitmap.astype(float) * 7, label=label),
        Mask(lambda: bitmap, label=label),
        RleMask(masks.encode(bitmap), label=label),
        RleMask(lambda: masks.encode(bitmap), label=label),
        RleMask({**masks.encode(bitmap), "counts": masks.encode(bitmap)["counts"].decode()}, label=label),
    ]
    for one in forms:
        assert np.array_equal(one.image, bitmap)
        assert one.image.dtype == bool
        assert one.size == bitmap.shape
        assert one.rle == masks.encode(bitmap)
        assert one.get_area() == bitmap.sum()
        assert one.get_bbox() == masks.box(one.rle)
        assert one.wrap() == one
        assert all(one == other for other in forms)
        assert one != one.wrap(z_order=1)
        one.check()


@given(bitmaps, bitmaps)
def test_masks_are_equal_if_their_pixels_are(one, other):
    assert (Mask(one) == Mask(other)) == np.array_equal(one, other)
    assert (RleMask(masks.encode(one)) == Mask(other)) == np.array_equal(one, other)


def test_iou_of_masks_is_that_of_pixels():
    one, other = Mask([[1, 1, 0, 1]]), RleMask(masks.encode(np.array([[0, 1, 1, 1]])))
    assert one.iou(other) == other.iou(one) == 0.5
    assert one.iou(Bbox(0, 0, 4, 1)) == 1


def test_mask_comes_from_polygons():
    mask = RleMask.from_polygons([[0, 0, 2, 0, 2, 1, 0, 1], [3, 0, 4, 0, 4, 1, 3, 1]], 1, 4, label=2)
    assert mask == Mask([[1, 1, 0, 1]], label=2)


def test_function_is_called_when_pixels_are_needed_and_not_before():
    calls = []
    mask = Mask(lambda: calls.append(1) or ROW)
    copy = mask.wrap(label=1)
    assert not calls
    assert copy.get_area() == 3
    assert calls == [1]


def test_box_of_one_pixel_has_width_and_height_1():
    bitmap = np.zeros((5, 5))
    bitmap[2, 3] = 1
    assert Mask(bitmap).get_bbox() == [3, 2, 1, 1]
    assert RleMask(masks.encode(bitmap)).get_bbox() == [3, 2, 1, 1]


def test_uncompressed_run_lengths_are_compressed():
    assert RleMask({"size": [1, 5], "counts": [0, 1, 2, 2]}) == Mask(ROW)


def test_class_and_instance_masks_have_numbers_at_the_object():
    mask = Mask(image=ROW, label=3)
    assert mask.as_class_mask().tolist() == [[3, 0, 0, 3, 3]]
    assert mask.as_class_mask(7, ignore_index=255).tolist() == [[7, 255, 255, 7, 7]]
    assert mask.as_class_mask(0, ignore_index=255).tolist() == [[0, 255, 255, 0, 0]]
    assert mask.as_instance_mask(300).tolist() == [[300, 0, 0, 300, 300]]
    assert mask.as_class_mask(dtype=np.int32).dtype == np.int32
    assert mask.as_class_mask().dtype == np.uint8


def test_painted_mask_is_blue_green_red():
    painted = Mask(ROW, label=3).paint({0: (9, 8, 7), 3: (1, 2, 3)})
    assert painted.tolist() == [[[3, 2, 1], [7, 8, 9], [7, 8, 9], [3, 2, 1], [3, 2, 1]]]
    assert Mask(ROW, label=3).paint({3: (1, 2, 3)})[0, 1].tolist() == [0, 0, 0]


def test_masks_in_front_cover_those_behind():
    compiled = CompiledMask.from_instance_masks(
        [
            Mask([[1, 1, 0, 0]], label=5, z_order=1),
            Mask([[0, 1, 1, 0]], label=2),
            Mask([[0, 0, 1, 1]], label=2),
        ]
    )
    assert compiled.class_mask.tolist() == [[5, 5, 2, 2]]
    assert compiled.instance_mask.tolist() == [[3, 3, 2, 2]]
    assert compiled.instance_count == 2
    assert compiled.get_instance_labels() == {2: 2, 3: 5}
    assert compiled.extract(2).tolist() == [[False, False, True, True]]
    assert np.array_equal(Mask(compiled.lazy_extract(3)).image, compiled.extract(3))


def test_ids_and_labels_belong_to_the_masks_as_they_were_given():
    layers = [Mask([[1, 1, 0]], label=1, z_order=2), Mask([[0, 1, 1]], label=2)]
    compiled = CompiledMask.from_instance_masks(layers, instance_ids=[70000, None], instance_labels=[None, 9])
    assert compiled.class_mask.tolist() == [[1, 1, 9]]
    assert compiled.instance_mask.tolist() == [[70000, 70000, 1]]
    assert compiled.get_instance_labels() == {1: 9, 70000: 1}


def test_label_0_is_background_that_covers_and_is_no_object():
    layers = [Mask([[1, 1, 1]], label=4), Mask([[0, 1, 0]], label=0, z_order=1)]
    compiled = CompiledMask.from_instance_masks(layers)
    assert compiled.class_mask.tolist() == [[4, 0, 4]]
    assert compiled.instance_mask.tolist() == [[1, 0, 1]]
    moved = CompiledMask.from_instance_masks(layers, instance_labels=[5, 1])
    assert moved.class_mask.tolist() == [[5, 1, 5]]
    assert moved.instance_mask.tolist() == [[1, 2, 1]]


def test_mask_without_label_is_an_object():
    compiled = CompiledMask.from_instance_masks([Mask([[1, 0]])])
    assert compiled.instance_mask.tolist() == [[1, 0]]
    assert compiled.class_mask.tolist() == [[0, 0]]


def test_compiled_mask_has_the_asked_type():
    compiled = CompiledMask.from_instance_masks([Mask([[1, 0]], label=1)], dtype=np.int32)
    assert compiled.class_mask.dtype == compiled.instance_mask.dtype == np.int32


def test_compiled_mask_evaluates_functions():
    compiled = CompiledMask(
        class_mask=lambda: np.array([[1, 2, 2]]), instance_mask=lambda: np.array([[7, 7, 7]])
    )
    assert compiled.get_instance_labels() == {7: 2}
    assert CompiledMask().class_mask is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mask(np.ones((2, 2, 3))), r"Mask\.image has shape \(2, 2, 3\)"),
        (lambda: Mask([["a"]]), r"Mask\.image has shape \(1, 1\) and type <U1; it must be numbers"),
        (lambda: Mask(lambda: [1]).image, r"Mask\.image has shape \(1,\)"),
        (lambda: Mask(ROW, label=-1), r"Mask\.label is -1"),
        (lambda: Mask(ROW).as_class_mask(), "Mask 0 has no label; give label_id"),
        (lambda: Mask(ROW, id=4).paint({}), "Mask 4 has the label None, which has no colour"),
        (lambda: Mask(ROW, label=2).paint({1: (1, 1, 1)}), "Mask 0 has the label 2, which has no colour"),
        (lambda: RleMask(b"231"), r"RleMask\.rle is b'231'; it must be a dict with size and counts"),
        (lambda: RleMask({"size": [1, 5]}), r"RleMask\.rle is .* must be a dict with size and counts"),
        (lambda: RleMask({"size": [1, 5], "counts": [1, 2]}), "run lengths for 3 pixels; they must add up to 5"),
        (lambda: RleMask({"size": [1, 5], "counts": b"1"}).check(), "a mask of 1 x 5 pixels has run lengths for 1"),
        (lambda: CompiledMask.from_instance_masks([]), "there are no masks to compile"),
        (lambda: CompiledMask.from_instance_masks([Mask(ROW), Mask([[1]])]), r"sizes \(1, 5\) and \(1, 1\)"),
        (lambda: CompiledMask.from_instance_masks([Mask(ROW)], [1, 2]), "there are 2 ids for 1 masks"),
        (lambda: CompiledMask.from_instance_masks([Mask(ROW)], None, [1, 2]), "there are 2 labels for 1 masks"),
        (lambda: CompiledMask(ROW).extract(1), "has no instance_mask, so its objects are unknown"),
        (lambda: CompiledMask(None, ROW).get_instance_labels(), r"objects of the size \(1, 5\), and labels of None"),
    ],
)  # fmt: skip
def test_mask_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(AnnotationError, match=message):
        make()
