"""Shapes that a box describes: boxes, rotated boxes and ellipses."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, cos, degrees, hypot, isfinite, pi, radians, sin
from typing import TYPE_CHECKING, Any, ClassVar

from ddfast.annotated.annotations import Details
from ddfast.annotated.checks import finite, shown
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.shapes import Shape
from ddfast.errors import AnnotationError

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = ["Bbox", "Ellipse", "RotatedBbox"]


class BoxShape(Shape):
    """A box that may be rotated around its centre."""

    __slots__ = ("h", "rotation", "w", "x", "y")
    _own = ("x", "y", "w", "h", "label", "z_order", "rotation")
    _place: ClassVar[tuple[str, ...]] = ("x", "y", "w", "h")  # parameters that say where it is

    x: float
    y: float
    w: float
    h: float
    rotation: float

    def __init__(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        *,
        rotation: float = 0,
        **details: Unpack[Details],
    ) -> None:
        Shape.__init__(self, label, z_order, id, attributes, group, **details)
        try:
            total = x + y + w + h + rotation
            plain = (total.__class__ is float or total.__class__ is int) and isfinite(total)
        except (TypeError, OverflowError):
            plain = False
        if not plain:
            x, y, w, h, rotation = self._numbers(x, y, w, h, rotation)
        if w < 0 or h < 0:
            side, length = ("w", w) if w < 0 else ("h", h)
            raise AnnotationError(f"{self._kind()}.{side} is {length}; a size cannot be negative")
        self.x = x
        self.y = y
        self.w = w
        self.h = h
        self.rotation = rotation

    def _numbers(self, *values: Any) -> list[float]:
        names = (*self._place, "rotation")
        return [finite(self._kind(), name, value) for name, value in zip(names, values, strict=True)]

    def wrap(self, **changes: Any) -> Self:
        copy = super().wrap(**changes)
        if changes.keys().isdisjoint(self._place):  # not computed anew, which could change the last digit
            copy.x, copy.y, copy.w, copy.h = self.x, self.y, self.w, self.h
        return copy

    @property
    def points(self) -> list[float]:
        """``[left, top, right, bottom]`` without the rotation."""
        return [self.x, self.y, self.x + self.w, self.y + self.h]

    @property
    def cx(self) -> float:
        """x of the centre."""
        return self.x + self.w / 2

    @property
    def cy(self) -> float:
        """y of the centre."""
        return self.y + self.h / 2

    @property
    def r(self) -> float:
        """The rotation, in degrees clockwise."""
        return self.rotation

    def get_points(self) -> list[tuple[float, float]]:
        """The corners, rotated, as pairs of x and y: clockwise from the upper left one."""
        corners = [
            (self.x, self.y),
            (self.x + self.w, self.y),
            (self.x + self.w, self.y + self.h),
            (self.x, self.y + self.h),
        ]
        if not self.rotation:
            return corners
        cx, cy, angle = self.cx, self.cy, radians(self.rotation)
        return [
            (
                cx + (x - cx) * cos(angle) - (y - cy) * sin(angle),
                cy + (x - cx) * sin(angle) + (y - cy) * cos(angle),
            )
            for x, y in corners
        ]

    def as_polygon(self) -> list[float]:
        """The corners, rotated: x and y in turn."""
        return [number for corner in self.get_points() for number in corner]


class Bbox(BoxShape):
    """A box.

    Parameters:
        x, y: its upper left corner.
        w, h: its size, not negative.
        label, z_order: as of `Shape`.
        id, attributes, group, details: as of `Annotation`.
        rotation: degrees clockwise around its centre; x, y, w and h describe the box before it is rotated.
    """

    __slots__ = ()
    type = AnnotationType.bbox

    def get_area(self) -> float:
        return self.w * self.h

    def get_bbox(self) -> list[float]:
        """The upright box around it: ``[x, y, width, height]``; itself if it is not rotated."""
        if not self.rotation:
            return [self.x, self.y, self.w, self.h]
        corners = self.get_points()
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]

    def get_rotated_bbox(self) -> list[float]:
        """``[x of the centre, y of the centre, width, height, rotation]``."""
        return [self.cx, self.cy, self.w, self.h, self.rotation]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bbox):
            return NotImplemented
        return bool(Bbox._values(self) == Bbox._values(other))

    __hash__ = None  # type: ignore[assignment]


class RotatedBbox(Bbox):
    """A `Bbox` that is given by its centre and a rotation; it equals the `Bbox` with the same values.

    Parameters:
        cx, cy: its centre.
        w, h: its size, not negative.
        r: degrees clockwise around the centre.
        label, z_order: as of `Shape`.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ()
    _own = ("cx", "cy", "w", "h", "r", "label", "z_order")
    _place = ("cx", "cy", "w", "h")

    def __init__(
        self,
        cx: float,
        cy: float,
        w: float,
        h: float,
        r: float,
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        cx, cy, w, h, r = self._numbers(cx, cy, w, h, r)
        Bbox.__init__(
            self, cx - w / 2, cy - h / 2, w, h, label, z_order, id, attributes, group, rotation=r, **details
        )

    @classmethod
    def from_rectangle(cls, points: Sequence[Sequence[float]], **values: Any) -> Self:
        """The rotated box with these four corners.

        Parameters:
            points: ``(x, y)`` of the corners in turn; the first two are the upper side before the rotation.
            values: further arguments of the constructor.

        Raises:
            AnnotationError: there are not four corners.
        """
        if len(points) != 4 or any(len(point) != 2 for point in points):
            raise AnnotationError(
                f"{cls.__name__} has the corners {shown(points)}; it needs four pairs of x and y"
            )
        (x0, y0), (x1, y1), (x2, y2), _ = points
        w, h = hypot(x1 - x0, y1 - y0), hypot(x2 - x1, y2 - y1)
        return cls((x0 + x2) / 2, (y0 + y2) / 2, w, h, degrees(atan2(y1 - y0, x1 - x0)), **values)


class Ellipse(BoxShape):
    """An ellipse in a box.

    Parameters:
        x1, y1: upper left corner of the box.
        x2, y2: lower right corner of the box.
        label, z_order: as of `Shape`.
        id, attributes, group, details: as of `Annotation`.
        rotation: degrees clockwise around the centre.
    """

    __slots__ = ()
    type = AnnotationType.ellipse
    _own = ("x1", "y1", "x2", "y2", "label", "z_order", "rotation")
    _place = ("x1", "y1", "x2", "y2")

    def __init__(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        *,
        rotation: float = 0,
        **details: Unpack[Details],
    ) -> None:
        x1, y1, x2, y2, rotation = self._numbers(x1, y1, x2, y2, rotation)
        BoxShape.__init__(
            self,
            x1,
            y1,
            x2 - x1,
            y2 - y1,
            label,
            z_order,
            id,
            attributes,
            group,
            rotation=rotation,
            **details,
        )

    @property
    def x1(self) -> float:
        """Left side of the box."""
        return self.x

    @property
    def y1(self) -> float:
        """Upper side of the box."""
        return self.y

    @property
    def x2(self) -> float:
        """Right side of the box."""
        return self.x + self.w

    @property
    def y2(self) -> float:
        """Lower side of the box."""
        return self.y + self.h

    @property
    def c_x(self) -> float:
        """x of the centre."""
        return self.cx

    @property
    def c_y(self) -> float:
        """y of the centre."""
        return self.cy

    def get_area(self) -> float:
        return pi * self.w * self.h / 4

    def get_bbox(self) -> list[float]:
        """The upright box around it: ``[x, y, width, height]``."""
        if not self.rotation:
            return [self.x, self.y, self.w, self.h]
        angle = radians(self.rotation)
        half_w = hypot(self.w / 2 * cos(angle), self.h / 2 * sin(angle))
        half_h = hypot(self.w / 2 * sin(angle), self.h / 2 * cos(angle))
        return [self.cx - half_w, self.cy - half_h, 2 * half_w, 2 * half_h]

    def get_points(self, num_points: int = 720) -> list[tuple[float, float]]:
        """Points on the ellipse, as pairs of x and y."""
        turn = radians(self.rotation)
        places = []
        for step in range(num_points):
            angle = 2 * pi * step / num_points
            x, y = self.w / 2 * cos(angle), self.h / 2 * sin(angle)
            places.append((self.cx + x * cos(turn) - y * sin(turn), self.cy + x * sin(turn) + y * cos(turn)))
        return places

    def as_polygon(self, num_points: int = 720) -> list[float]:
        """Points on the ellipse: x and y in turn."""
        return [number for point in self.get_points(num_points) for number in point]
