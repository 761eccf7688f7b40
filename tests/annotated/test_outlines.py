"""Objects of several parts as one polygon, and polygons cut at the sides of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ddfast.annotated import masks
from ddfast.annotated.geometry import polygon_areas
from ddfast.annotated.outlines import cut, outline_of_mask, outline_of_parts


def area(ring: Any) -> float:
    return float(polygon_areas(np.asarray(ring, float), np.array([0, len(ring)]))[0])


@settings(deadline=None, max_examples=150)
@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_outline_of_a_mask_gives_its_pixels_back(pixels: np.ndarray[Any, Any]) -> None:
    ring = outline_of_mask(masks.encode(pixels))
    assert len(ring) == 0 or area(ring) == pixels.sum()
    again = masks.from_polygons([ring] if len(ring) else [], *pixels.shape)
    assert masks.same(again, masks.encode(pixels))


triangles = st.lists(
    st.lists(st.integers(0, 400).map(lambda number: number / 10), min_size=6, max_size=6),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, max_examples=150)
@given(triangles)
def test_outline_of_parts_has_their_pixels(parts: list[list[float]]) -> None:
    ring = outline_of_parts(parts, 40, 40)
    found = masks.from_polygons([ring] if len(ring) else [], 40, 40)
    assert masks.same(found, masks.from_polygons(parts, 40, 40))


def test_parts_of_opposite_directions_have_one_direction_in_the_outline() -> None:
    ring = outline_of_parts([[0, 0, 4, 0, 4, 4], [10, 0, 14, 4, 14, 0]], 20, 20)
    assert area(ring) == 16


@pytest.mark.parametrize(
    ("ring", "expected"),
    [
        ([1, 1, 5, 1, 5, 5], 8.0),  # inside
        ([-5, 0, 5, 0, 5, 10, -5, 10], 50.0),  # half of it
        ([-5, -5, 50, -5, 50, 50, -5, 50], 200.0),  # around the image
        ([-9, 1, -1, 1, -1, 9], 0.0),  # outside
        ([5, -5, 15, 5, 5, 15, -5, 5], 100.0),  # all corners cut
    ],
)
def test_polygons_are_cut_at_the_sides_of_the_image(ring: list[float], expected: float) -> None:
    found = cut(ring, 10, 20 if expected == 200 else 10)
    assert area(found) == expected
    assert len(found) == 0 or (found.min() >= 0 and found[0::2].max() <= 20 and found[1::2].max() <= 10)
