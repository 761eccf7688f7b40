"""Masks, compared with pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from ddfast.annotated import masks, run_lengths
from ddfast.annotated.contours import bridged, mask_to_polygons
from ddfast.annotated.cvat_masks import from_cvat, to_cvat
from ddfast.errors import AnnotationError, MissingPackageError

bitmaps = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
coordinates = st.floats(-30, 60) | st.integers(-5, 45).map(float)
rings = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7).map(
    lambda pairs: [number for pair in pairs for number in pair]
)


def reference(bitmap):
    return coco.encode(np.asfortranarray(bitmap.astype(np.uint8)))


@given(bitmaps)
def test_mask_is_that_of_pycocotools(bitmap):
    rle, theirs = masks.encode(bitmap), reference(bitmap)
    assert rle == theirs
    assert np.array_equal(masks.decode(theirs), bitmap)
    assert masks.area(theirs) == coco.area(theirs)
    assert masks.box(theirs) == coco.toBbox(theirs).tolist()
    text = {"size": theirs["size"], "counts": theirs["counts"].decode()}
    assert masks.checked(text) == theirs


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=12))
def test_compressed_run_lengths_are_those_of_pycocotools(counts):
    pixels = sum(counts)
    theirs = coco.frPyObjects({"counts": counts, "size": [pixels, 1]}, pixels, 1)
    ours = masks.from_uncompressed(counts, [pixels, 1])
    assert ours == theirs
    assert run_lengths.counts_of(theirs).tolist() == counts


@given(st.lists(rings, min_size=1, max_size=4), st.integers(1, 40), st.integers(1, 40))
def test_polygons_are_rasterised_as_pycocotools_does(polygons, height, width):
    theirs = coco.merge(coco.frPyObjects(polygons, height, width))
    assert masks.from_polygons(polygons, height, width) == theirs


@given(st.integers(1, 8), st.integers(1, 8), st.data())
def test_union_intersection_and_iou_are_those_of_pycocotools(height, width, data):
    shape = hnp.arrays(bool, (height, width))
    bitmaps = data.draw(st.lists(shape, min_size=1, max_size=4))
    rles = [reference(bitmap) for bitmap in bitmaps]
    assert np.array_equal(masks.decode(masks.union(rles)), np.any(bitmaps, axis=0))
    assert np.array_equal(masks.decode(masks.merge(rles, intersect=True)), np.all(bitmaps, axis=0))
    crowd = data.draw(st.lists(st.booleans(), min_size=len(rles), max_size=len(rles)))
    assert np.array_equal(masks.iou(rles, rles, crowd), coco.iou(rles, rles, crowd), equal_nan=True)
    assert np.array_equal(masks.iou(rles, rles), coco.iou(rles, rles, [0] * len(rles)), equal_nan=True)


@given(bitmaps, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_cropped_mask_comes_back(bitmap, left, top, right, bottom):
    padded = np.pad(bitmap, ((top, bottom), (left, right)))
    height, width = padded.shape
    rle = masks.encode(padded)
    assert masks.from_crop(bitmap, left, top, height, width) == rle
    pixels, (x, y, columns, rows) = masks.crop(rle)
    assert np.array_equal(pixels, padded[y : y + rows, x : x + columns])
    assert masks.from_crop(pixels, x, y, height, width) == rle


@given(bitmaps)
def test_mask_comes_back_from_cvat(bitmap):
    rle = masks.encode(bitmap)
    if bitmap.any():
        assert from_cvat(*to_cvat(rle), bitmap.shape) == rle


def test_cvat_counts_along_the_rows_of_the_box():
    bitmap = np.zeros((4, 6), bool)
    bitmap[1, 2:4] = bitmap[2, 3] = True
    rle = masks.encode(bitmap)
    assert to_cvat(rle) == ([0, 2, 1, 1], 2, 1, 3, 2)
    assert from_cvat([0, 2, 1, 1], 2, 1, 3, 2, (4, 6)) == rle


@given(bitmaps)
def test_polygons_of_a_mask_give_it_back_exactly(bitmap):
    height, width = bitmap.shape
    total = np.zeros(bitmap.shape, int)
    for outline, *holes in mask_to_polygons(bitmap):
        part = masks.decode(masks.from_polygons([outline], height, width)).astype(int)
        for hole in holes:
            part -= masks.decode(masks.from_polygons([hole], height, width))
        assert part.min() >= 0
        total += part
    assert np.array_equal(total, bitmap)


@given(bitmaps)
def test_bridges_to_holes_add_no_pixel(bitmap):
    rings = [bridged(part) for part in mask_to_polygons(bitmap)]
    assert np.array_equal(masks.decode(masks.from_polygons(rings, *bitmap.shape)), bitmap)


def test_island_in_a_hole_is_a_part_of_its_own():
    bitmap = np.ones((7, 7), bool)
    bitmap[1:6, 1:6] = False
    bitmap[3, 3] = True
    parts = mask_to_polygons(masks.encode(bitmap))
    assert [len(part) for part in parts] == [2, 1]
    assert parts[1] == [[3, 3, 4, 3, 4, 4, 3, 4]]
    assert mask_to_polygons(np.zeros((3, 3))) == []


@given(bitmaps, bitmaps)
def test_masks_are_the_same_if_their_pixels_are(one, other):
    first, second = masks.encode(one), masks.encode(other)
    assert masks.same(first, second) == np.array_equal(one, other)


def test_masks_are_the_same_with_runs_of_length_0():
    assert masks.same(masks.from_counts([2, 3, 1], 2, 3), masks.from_counts([1, 0, 1, 2, 0, 1, 1, 0], 2, 3))
    assert not masks.same(masks.from_counts([6], 2, 3), masks.from_counts([6], 3, 2))


def test_mask_without_pixels():
    assert masks.empty(3, 4) == reference(np.zeros((3, 4)))
    assert masks.from_polygons([], 3, 4) == masks.empty(3, 4)
    assert masks.decode(masks.encode(np.zeros((0, 5)))).shape == (0, 5)
    assert masks.iou([], [masks.empty(3, 4)]).shape == (0, 1)


@given(
    st.binary(max_size=12) | st.text("0123456789:;<=>?@ABCPQRSTUVWXYZ`ano", max_size=12), st.integers(0, 20)
)
def test_damaged_masks_are_refused_and_others_are_read_as_pycocotools_does(counts, height):
    rle = {"size": [height, 3], "counts": counts}
    try:
        bitmap = masks.decode(rle)
    except AnnotationError:
        for function in (masks.area, masks.box, masks.checked):
            with pytest.raises(AnnotationError):
                function(rle)
        return
    assert masks.area(rle) == bitmap.sum()
    if bitmap.size:
        assert coco.merge([masks.checked(rle), reference(bitmap)]) == reference(bitmap)
        assert coco.area(masks.checked(rle)) == bitmap.sum()


GOOD = {"size": [2, 3], "counts": b"231"}


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: masks.decode({"size": [2, 2], "counts": b"231"}), "of 2 x 2 pixels has run lengths for 6 pixels"),
        (lambda: masks.decode({"size": [2, 3], "counts": b"23Q"}), "a mask of 2 x 3 pixels has damaged run lengths"),
        (lambda: masks.decode({"size": [2, 3], "counts": b"2\x00"}), "damaged run lengths"),
        (lambda: masks.decode({"size": [2, 3], "counts": b"PPPPPPPPPP0"}), "damaged run lengths"),
        (lambda: masks.decode({"size": [2, 3], "counts": [2, 4]}), "must be a dict with size and counts"),
        (lambda: masks.decode({"counts": b"231"}), "must be a dict with size and counts"),
        (lambda: masks.decode({"size": [2, 3], "counts": "ä"}), "must be a dict with size and counts"),
        (lambda: masks.decode(None), "a mask is None"),
        (lambda: masks.decode({"size": [2], "counts": b"231"}), r"has the size \[2\]; it must be height and width"),
        (lambda: masks.decode({"size": [-2, 3], "counts": b"231"}), r"a mask has the size \[-2, 3\]"),
        (lambda: masks.decode({"size": [2.5, 3], "counts": b"231"}), r"a mask has the size \[2\.5, 3\]"),
        (lambda: masks.empty(2**20, 2**11), "a mask has 1048576 x 2048 pixels; more than 1,073,741,824"),
        (lambda: masks.from_polygons([], 10**9, 10**9), "more than 1,073,741,824 are not supported"),
        (lambda: masks.encode(np.zeros((2, 3, 4))), r"a mask has the shape \(2, 3, 4\)"),
        (lambda: masks.from_uncompressed([1, 2], [2, 3]), "a mask of 2 x 3 pixels has run lengths for 3 pixels"),
        (lambda: masks.from_uncompressed([-1, 7], [2, 3]), "a mask of 2 x 3 pixels has a run length of -1"),
        (lambda: masks.from_uncompressed([10**12], [2, 3]), "has a run length of 1000000000000"),
        (lambda: masks.from_uncompressed([1.5, 4.5], [2, 3]), "they must be integers"),
        (lambda: masks.from_uncompressed([[1], [2, 3]], [2, 3]), "they must be integers"),
        (lambda: masks.from_uncompressed("231", [2, 3]), "they must be integers"),
        (lambda: masks.from_polygons([[0, 0, 1, 1]], 2, 3), r"Polygon\.points has 4 numbers"),
        (lambda: masks.from_polygons([[0, 0, 1e7, 0, 1, 1]], 2, 3), "a polygon is 2e\\+07 pixels long"),
        (lambda: masks.from_polygons([[1e300, 0, 1e300, 0, 1e300, 1]], 2, 3), r"reaches to 1e\+300"),
        (lambda: masks.merge([]), "cannot be merged"),
        (lambda: masks.merge([GOOD, masks.empty(3, 2)]), r"sizes \[\(2, 3\), \(3, 2\)\] cannot be merged"),
        (lambda: masks.iou([GOOD], [masks.empty(3, 2)]), "cannot be compared"),
        (lambda: masks.iou([GOOD], [GOOD], [True, False]), "2 crowd flags cannot be compared"),
        (lambda: masks.from_crop(np.ones((2, 2)), 2, 0, 2, 3), r"2 x 2 pixels at \(2, 0\) do not fit"),
        (lambda: from_cvat([4], 0, 0, 3, 0, (2, 3)), "a mask has the box .* in an image of 2 x 3"),
        (lambda: from_cvat([9], 0, 0, 1, 1, (2, 3)), "a mask in a box of 2 x 2 pixels has a run length of 9"),
        (lambda: from_cvat([3], 0, 0, 1, 1, (2, 3)), "a mask in a box of 2 x 2 pixels has run lengths for 3"),
        (lambda: to_cvat(masks.empty(2, 3)), "a mask without pixels cannot be stored in CVAT's form"),
    ],
)  # fmt: skip
def test_mask_that_makes_no_sense_is_refused(use, message):
    with pytest.raises(AnnotationError, match=message):
        use()


def test_missing_pycocotools_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pycocotools", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'ddfast\[annotated\]'"):
        masks.encode(np.ones((2, 2)))
