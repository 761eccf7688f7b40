"""Geometry of shapes: areas, boxes, rotation, key points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ddfast.annotated import Bbox, Ellipse, Points, Polygon, PolyLine, RotatedBbox, Skeleton
from ddfast.annotated.geometry import boxes, corners, far_ends, polygon_areas
from ddfast.errors import AnnotationError

places = st.floats(-1e4, 1e4)
sizes = st.floats(0.01, 1e4)


def test_box_has_the_documented_properties():
    box = Bbox(1, 2, 3, 4)
    assert box.points == [1, 2, 4, 6]
    assert (box.x, box.y, box.w, box.h) == (1, 2, 3, 4)
    assert box.get_area() == 12
    assert box.get_bbox() == [1, 2, 3, 4]
    assert box.as_polygon() == [1, 2, 4, 2, 4, 6, 1, 6]
    assert box.wrap(x=5) == Bbox(5, 2, 3, 4)


def test_iou_of_boxes():
    assert Bbox(0, 0, 2, 2).iou(Bbox(0, 0, 2, 2)) == 1
    assert Bbox(0, 0, 2, 2).iou(Bbox(1, 0, 2, 2)) == pytest.approx(1 / 3)
    assert Bbox(0, 0, 2, 2).iou(Bbox(2, 0, 2, 2)) == 0
    assert Bbox(0, 0, 0, 0).iou(Bbox(0, 0, 0, 0)) == 0
    assert Bbox(0, 0, 2, 2).iou(Polygon([0, 0, 2, 0, 2, 2])) == 1


def test_rotation_turns_clockwise_around_the_centre():
    box = Bbox(0, 0, 4, 2, rotation=90)
    assert np.allclose(box.as_polygon(), [3, -1, 3, 3, 1, 3, 1, -1])
    assert np.allclose(box.get_bbox(), [1, -1, 2, 4])
    assert box.get_area() == 8
    assert (box.x, box.y, box.w, box.h) == (0, 0, 4, 2)


def test_rotated_box_is_a_box():
    rotated = RotatedBbox(2, 1, 4, 2, 90)
    assert isinstance(rotated, Bbox)
    assert rotated == Bbox(0, 0, 4, 2, rotation=90)
    assert Bbox(0, 0, 4, 2, rotation=90) == rotated
    assert rotated.get_rotated_bbox() == [2, 1, 4, 2, 90]
    assert rotated.wrap(r=0) == Bbox(0, 0, 4, 2)


@given(places, places, sizes, sizes, st.floats(-179, 179))
def test_rotated_box_comes_back_from_its_corners(cx, cy, w, h, r):
    again = RotatedBbox.from_rectangle(RotatedBbox(cx, cy, w, h, r).get_points())
    assert np.allclose(again.get_rotated_bbox(), [cx, cy, w, h, r], rtol=1e-4, atol=1e-4)


def test_ellipse_fills_its_box():
    ellipse = Ellipse(1, 2, 5, 4)
    assert ellipse.get_bbox() == [1, 2, 4, 2]
    assert ellipse.get_area() == pytest.approx(math.pi * 2)
    assert (ellipse.c_x, ellipse.c_y) == (3, 3)
    assert (ellipse.x1, ellipse.y1, ellipse.x2, ellipse.y2) == (1, 2, 5, 4)
    assert Polygon(ellipse.as_polygon()).get_area() == pytest.approx(ellipse.get_area(), rel=1e-3)


@given(st.floats(-360, 360))
def test_box_of_rotated_ellipse_is_that_of_its_points(rotation):
    ellipse = Ellipse(1, 2, 7, 4, rotation=rotation)
    assert np.allclose(Polygon(ellipse.as_polygon()).get_bbox(), ellipse.get_bbox(), atol=1e-3)


def test_polygon_has_area_and_box():
    polygon = Polygon([0, 0, 4, 0, 4, 3])
    assert polygon.get_area() == 6
    assert polygon.get_bbox() == [0, 0, 4, 3]
    assert polygon.get_points() == [(0, 0), (4, 0), (4, 3)]
    assert polygon.as_polygon() == [0, 0, 4, 0, 4, 3]
    assert PolyLine([0, 0, 4, 3]).get_area() == 0
    assert PolyLine([0, 0, 4, 3]).get_bbox() == [0, 0, 4, 3]


def test_area_of_a_polygon_far_away_keeps_its_digits():
    assert Polygon([1e9, 1e9, 1e9 + 1, 1e9, 1e9 + 1, 1e9 + 1]).get_area() == 0.5


def test_polygons_are_equal_only_with_the_same_points():
    outer, inner = Polygon([0, 0, 4, 0, 4, 4, 0, 4]), Polygon([1, 1, 2, 1, 2, 2])
    assert outer != inner
    assert inner != outer
    assert outer == Polygon(outer.points)


def test_points_are_visible_by_default_and_absent_ones_have_no_place():
    assert Points([1, 2, 3, 4]).visibility == [Points.Visibility.visible] * 2
    points = Points([1, 2, 3, 4, 0, 0], [2, 1, 0])
    assert points.visibility == [
        Points.Visibility.visible,
        Points.Visibility.hidden,
        Points.Visibility.absent,
    ]
    assert points.get_bbox() == [1, 2, 2, 2]
    assert points.get_area() == 0
    assert Points([1, 2], [0]).get_bbox() == [0, 0, 0, 0]


def test_skeleton_takes_the_order_of_its_label():
    skeleton = Skeleton.from_elements({"tail": (5, 6, 1), "head": (1, 2)}, label=3)
    ordered = skeleton.ordered(["head", "neck", "tail"])
    assert ordered.points == [1, 2, 0, 0, 5, 6]
    assert ordered.visibility == [2, 0, 1]
    assert ordered.names == ["head", "neck", "tail"]
    assert ordered.label == 3
    assert ordered.elements() == {"head": (1, 2, 2), "neck": (0, 0, 0), "tail": (5, 6, 1)}
    assert Skeleton([1, 2, 3, 4]).ordered(["head", "tail"]).names == ["head", "tail"]


@given(st.lists(st.lists(st.tuples(places, places), min_size=3, max_size=8), max_size=5))
def test_many_polygons_have_the_areas_and_boxes_of_each(rings):
    flat = [[number for point in ring for number in point] for ring in rings]
    values = np.array([number for ring in flat for number in ring])
    offsets = np.cumsum([0, *map(len, flat)])
    areas = [Polygon(ring).get_area() for ring in flat]
    assert np.allclose(polygon_areas(values, offsets), areas, atol=1e-6)
    assert boxes(values, offsets).tolist() == [Polygon(ring).get_bbox() for ring in flat]


def test_empty_polygons_have_no_area_and_an_unknown_box():
    values = [0, 0, 9, 9, 0, 0, 4, 0, 4, 3]
    offsets = [4, 4, 10, 10]
    assert polygon_areas(values, offsets).tolist() == [0, 6, 0]
    found = boxes(values, offsets)
    assert np.isnan(found[[0, 2]]).all()
    assert found[1].tolist() == [0, 0, 4, 3]
    assert polygon_areas([], [0]).shape == (0,)
    assert boxes([], [0]).shape == (0, 4)


@pytest.mark.parametrize("offsets", [[0, 3], [4, 0], [0, 8], [-2, 4], [], [[0, 2]], [0.0, 2.0]])
def test_offsets_that_do_not_fit_are_refused(offsets):
    with pytest.raises(AnnotationError, match="offsets must be even, ascending, and at most 6"):
        polygon_areas([0, 0, 1, 0, 1, 1], offsets)


@given(st.lists(st.tuples(places, places), min_size=3, max_size=8), places, places)
def test_area_does_not_change_when_a_polygon_is_moved_or_turned_around(ring, dx, dy):
    polygon = Polygon(np.array(ring))
    assume(polygon.get_area() > 1e-3)
    moved = Polygon(np.array(ring[::-1]) + np.array([dx, dy]))
    assert moved.get_area() == pytest.approx(polygon.get_area(), rel=1e-6, abs=1e-3)


def test_corners_of_many_boxes_are_those_of_each():
    boxes = np.array([[0.1, 2, 20.2, 3], [10, 20, 40, 10], [1, 2, 3, 4]])
    rotation = np.array([np.nan, 90, -33.5])
    found = corners(boxes, rotation)
    for row, angle, points in zip(boxes, [0, 90, -33.5], found, strict=True):
        assert np.allclose(points.reshape(4, 2), Bbox(*row, rotation=angle).get_points())
    assert found[0].tolist() == [0.1, 2, 20.3, 2, 20.3, 5, 0.1, 5]  # 0.1 + 20.2 is 20.299999999999997


def test_far_ends_have_the_digits_of_the_source():
    starts, ends = np.array([0.1, 1 / 3, np.nan]), np.array([0.3, 2 / 3, np.nan])
    found = far_ends(starts, ends - starts)
    assert found[0] == 0.3
    assert (found - starts)[1] == (ends - starts)[1]
    assert np.isnan(found[2])
