"""Shapes that are lists of points: polygons, polylines, points and skeletons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

from ddfast.annotated.annotations import Annotation, Details
from ddfast.annotated.checks import LABELS, coordinates, integer, shown
from ddfast.annotated.kinds import AnnotationType
from ddfast.errors import AnnotationError

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = ["Points", "PolyLine", "Polygon", "Shape", "Skeleton"]


class Shape(Annotation):
    """Something at a place in an image; coordinates are pixels from the upper left corner of the image.

    Parameters:
        label: index in the `LabelCategories`, or None.
        z_order: which of two is in front: the one with the larger number.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ("label", "z_order")

    label: int | None
    z_order: int

    def __init__(
        self,
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        Annotation.__init__(self, id, attributes, group, **details)
        if label is not None and (label.__class__ is not int or not 0 <= label < LABELS):
            label = integer(self._kind(), "label", label, 0, LABELS)
        if z_order.__class__ is not int or not -LABELS <= z_order < LABELS:
            z_order = 0 if z_order is None else integer(self._kind(), "z_order", z_order, -LABELS, LABELS)
        self.label = label
        self.z_order = z_order

    def get_area(self) -> float:
        """Area in square pixels."""
        raise NotImplementedError

    def get_bbox(self) -> list[float]:
        """The upright box around the shape: ``[x, y, width, height]``."""
        raise NotImplementedError

    def iou(self, other: Shape) -> float:
        """Intersection over union of the upright boxes around two shapes, from 0 to 1."""
        x, y, w, h = self.get_bbox()
        other_x, other_y, other_w, other_h = other.get_bbox()
        wide = min(x + w, other_x + other_w) - max(x, other_x)
        high = min(y + h, other_y + other_h) - max(y, other_y)
        if wide <= 0 or high <= 0:
            return 0.0
        return wide * high / (w * h + other_w * other_h - wide * high)


class PointShape(Shape):
    """A shape that is given by points: x and y in turn."""

    __slots__ = ("points",)
    _own: ClassVar[tuple[str, ...]] = ("points", "label", "z_order")
    _fewest: ClassVar[int] = 2  # numbers

    points: list[float]

    def __init__(
        self,
        points: Sequence[float],
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        Shape.__init__(self, label, z_order, id, attributes, group, **details)
        self.points = coordinates(self._kind(), "points", points, self._fewest)

    def get_area(self) -> float:
        return 0.0

    def get_bbox(self) -> list[float]:
        return box_around(self.points)

    def get_points(self) -> list[tuple[float, float]]:
        """The points as pairs of x and y."""
        return list(zip(self.points[0::2], self.points[1::2], strict=True))


def box_around(points: list[float]) -> list[float]:
    """``[x, y, width, height]`` of points; zeros if there are none."""
    if not points:
        return [0.0, 0.0, 0.0, 0.0]
    xs, ys = points[0::2], points[1::2]
    x, y = min(xs), min(ys)
    return [x, y, max(xs) - x, max(ys) - y]


class Polygon(PointShape):
    """A polygon with at least three points; the last is connected with the first.

    Parameters:
        points: x and y in turn, or an array of shape (n, 2).
        label, z_order: as of `Shape`.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ()
    type = AnnotationType.polygon
    _fewest = 6

    def get_area(self) -> float:
        """Area between the lines, in square pixels (not the number of pixels that it covers)."""
        points = self.points
        x0, y0 = points[0], points[1]  # differences to a corner keep digits that large coordinates would lose
        xs = [x - x0 for x in points[0::2]]
        ys = [y - y0 for y in points[1::2]]
        corners = zip(xs, ys, xs[1:], ys[1:], strict=False)
        twice = sum(x * next_y - next_x * y for x, y, next_x, next_y in corners)
        return abs(twice) / 2

    def as_polygon(self) -> list[float]:
        """The points."""
        return self.points.copy()


class PolyLine(PointShape):
    """Connected lines with at least two points.

    Parameters:
        points: x and y in turn, or an array of shape (n, 2).
        label, z_order: as of `Shape`.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ()
    type = AnnotationType.polyline
    _fewest = 4

    def as_polygon(self) -> list[float]:
        """The points."""
        return self.points.copy()


class PointVisibility(IntEnum):
    """Whether a point is in the image, and can be seen; also ``Points.Visibility``."""

    absent = 0
    hidden = 1
    visible = 2


STATES = {int(state): state for state in PointVisibility}


class Points(PointShape):
    """Points in an order that has a meaning, such as the key points of a body.

    Parameters:
        points: x and y in turn, or an array of shape (n, 2).
        visibility: a `Points.Visibility`, or its number, for each point; all visible by default.
        label, z_order: as of `Shape`.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ("visibility",)
    type = AnnotationType.points
    _own: ClassVar[tuple[str, ...]] = ("points", "visibility", "label", "z_order")

    Visibility = PointVisibility

    visibility: list[PointVisibility]

    def __init__(
        self,
        points: Sequence[float],
        visibility: Iterable[int] | None = None,
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        PointShape.__init__(self, points, label, z_order, id, attributes, group, **details)
        self.visibility = states(self._kind(), visibility, len(self.points) // 2)

    def get_bbox(self) -> list[float]:
        """The upright box around the points that are not absent: ``[x, y, width, height]``; zeros if all are absent."""
        present = [
            number
            for x, y, state in zip(self.points[0::2], self.points[1::2], self.visibility, strict=True)
            if state
            for number in (x, y)
        ]
        return box_around(present)


def states(kind: str, values: Iterable[int] | None, count: int) -> list[PointVisibility]:
    """The visibility of each of `count` points.

    Raises:
        AnnotationError: there are more or fewer, or one is not 0, 1 or 2.
    """
    if values is None:
        return [PointVisibility.visible] * count
    given = list(values)
    if len(given) != count:
        raise AnnotationError(f"{kind}.visibility has {len(given)} values for {count} points")
    try:
        return [STATES[value] for value in given]
    except (TypeError, KeyError):
        raise AnnotationError(
            f"{kind}.visibility is {shown(given)}; each must be 0 (absent), 1 (hidden) or 2 (visible)"
        ) from None


class Skeleton(Points):
    """Points that have names, in the order that the `PointsCategories` of the label give.

    Parameters:
        points, visibility: as of `Points`.
        names: a name for each point; None if the order says which is which.
        label, z_order: as of `Shape`.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ("names",)
    type = AnnotationType.skeleton
    _own = ("points", "visibility", "names", "label", "z_order")

    names: list[str] | None

    def __init__(
        self,
        points: Sequence[float],
        visibility: Iterable[int] | None = None,
        names: Iterable[str] | None = None,
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        Points.__init__(self, points, visibility, label, z_order, id, attributes, group, **details)
        self.names = None if names is None else point_names(self._kind(), names, len(self.points) // 2)

    @classmethod
    def from_elements(cls, elements: Mapping[str, Sequence[float]], **values: Any) -> Self:
        """A skeleton from points by name.

        Parameters:
            elements: ``(x, y)`` or ``(x, y, visibility)`` of each name.
            values: further arguments of the constructor.

        Raises:
            AnnotationError: an element has other than two or three numbers, or one makes no sense.
        """
        for name, element in elements.items():
            if len(element) not in (2, 3):
                raise AnnotationError(
                    f"{cls.__name__} {name!r} is {shown(element)}; it must be x, y and visibility"
                )
        points = [number for element in elements.values() for number in element[:2]]
        visibility: list[Any] = [element[2] if len(element) == 3 else 2 for element in elements.values()]
        return cls(points, visibility, list(elements), **values)

    def elements(self) -> dict[str, tuple[float, float, PointVisibility]]:
        """``(x, y, visibility)`` of each name.

        Raises:
            AnnotationError: the points have no names.
        """
        if self.names is None:
            raise AnnotationError(f"{self._kind()} {self.id} has no names for its points")
        rows = zip(self.points[0::2], self.points[1::2], self.visibility, strict=True)
        return dict(zip(self.names, rows, strict=True))

    def ordered(self, names: Sequence[str]) -> Self:
        """The skeleton with exactly these points in this order: points that it lacks are absent, at (0, 0).

        Parameters:
            names: names as of a category of `PointsCategories`.

        Raises:
            AnnotationError: it has a point of another name, or another number of points without names.
        """
        if self.names is None:
            if len(names) * 2 != len(self.points):
                raise AnnotationError(
                    f"{self._kind()} {self.id} has {len(self.points) // 2} points without names, but its label has"
                    f" {len(names)}"
                )
            return self.wrap(names=names)
        elements = self.elements()
        unknown = [name for name in elements if name not in names]
        if unknown:
            raise AnnotationError(
                f"{self._kind()} {self.id} has points that its label does not have: {shown(unknown)};"
                f" known are {shown(list(names))}"
            )
        return self.wrap(
            points=[number for name in names for number in elements.get(name, (0.0, 0.0))[:2]],
            visibility=[elements[name][2] if name in elements else PointVisibility.absent for name in names],
            names=names,
        )


def point_names(kind: str, values: Iterable[str], count: int) -> list[str]:
    """Names of `count` points, all different.

    Raises:
        AnnotationError: there are more or fewer, or one is there twice.
    """
    names = list(values)
    if len(names) != count:
        raise AnnotationError(f"{kind}.names has {len(names)} values for {count} points")
    if not all(isinstance(name, str) for name in names) or len(set(names)) < count:
        raise AnnotationError(f"{kind}.names is {shown(names)}; it must be strings, all different")
    return names
