"""Kinds of annotations."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["AnnotationType"]


class AnnotationType(IntEnum):
    """What an annotation is; its name is stored in tables, its number in samples: neither changes.

    A rotated box is a `bbox` with a rotation: ``rotated_bbox`` is a second name of the same member.
    """

    unknown = 0
    label = 1
    mask = 2
    points = 3
    polygon = 4
    polyline = 5
    bbox = 6
    caption = 7
    cuboid_3d = 8
    ellipse = 11
    rotated_bbox = 6
    skeleton = 20
    span = 21
