"""Masks of single objects: pixels, or run lengths that are decoded when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ddfast.annotated import masks
from ddfast.annotated.annotations import Details
from ddfast.annotated.checks import shown
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.run_lengths import checked_size, counts_of
from ddfast.annotated.shapes import Shape
from ddfast.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from typing_extensions import Self, Unpack

__all__ = ["Mask", "RleMask"]

BinaryMask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"
IndexMask: TypeAlias = "np.ndarray[Any, Any]"


class Mask(Shape):
    """The pixels of one object.

    Two masks are equal if their pixels and all other values are, in whatever form the pixels are stored.

    Parameters:
        image: array of shape (height, width), in which everything but 0 belongs to the object; or a function that
            returns one, which is called each time the pixels are needed.
        label, z_order: as of `Shape`.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ("_image",)
    type = AnnotationType.mask
    _own = ("label", "z_order")

    _image: Any

    def __init__(
        self,
        image: Any,
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        Shape.__init__(self, label, z_order, id, attributes, group, **details)
        self._image = image if callable(image) else binary(self._kind(), image)

    @property
    def image(self) -> BinaryMask:
        """The pixels, bool, of shape (height, width)."""
        return binary(self._kind(), self._image()) if callable(self._image) else self._image

    @property
    def rle(self) -> dict[str, Any]:
        """The run lengths, as in `ddfast.annotated.masks`."""
        return masks.encode(self.image)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        height, width = self.image.shape
        return height, width

    def as_class_mask(
        self, label_id: int | None = None, ignore_index: int = 0, dtype: DTypeLike | None = None
    ) -> IndexMask:
        """An array with the label at the pixels of the object.

        Parameters:
            label_id: the label; that of the mask by default.
            ignore_index: the value of all other pixels.
            dtype: the smallest unsigned integer that holds both by default.

        Raises:
            AnnotationError: there is no label.
        """
        label = self.label if label_id is None else label_id
        if label is None:
            raise AnnotationError(f"{self._kind()} {self.id} has no label; give label_id")
        return index_mask(self.image, label, ignore_index, dtype)

    def as_instance_mask(
        self, instance_id: int, ignore_index: int = 0, dtype: DTypeLike | None = None
    ) -> IndexMask:
        """An array with a number at the pixels of the object; parameters as of `as_class_mask`."""
        return index_mask(self.image, instance_id, ignore_index, dtype)

    def iou(self, other: Shape) -> float:
        """Intersection over union of the pixels of two masks; of the boxes around them if the other is no mask."""
        return (
            float(masks.iou([self.rle], [other.rle])[0, 0]) if isinstance(other, Mask) else super().iou(other)
        )

    def get_area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.image))

    def get_bbox(self) -> list[float]:
        """The box around the pixels: ``[x, y, width, height]``; a single pixel has width 1; zeros without pixels."""
        image = self.image
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        if not len(rows):
            return [0, 0, 0, 0]
        x, y = int(columns[0]), int(rows[0])
        return [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]

    def paint(self, colormap: Mapping[int, tuple[int, int, int]]) -> IndexMask:
        """An image, uint8, of shape (height, width, 3) in the order blue, green, red.

        Parameters:
            colormap: red, green and blue by label. Pixels outside of the object have colour 0 of it, or are black.

        Raises:
            AnnotationError: the mask has no label, or its label no colour.
        """
        if self.label is None or self.label not in colormap:
            raise AnnotationError(f"{self._kind()} {self.id} has the label {self.label}, which has no colour")
        palette = np.array([colormap.get(0, (0, 0, 0)), colormap[self.label]], np.uint8)[:, ::-1]
        return palette[self.image.astype(np.intp)]

    def as_dict(self) -> dict[str, Any]:
        return {"image": self._image, **super().as_dict()}

    def _same_pixels(self, other: Mask) -> bool:
        return np.array_equal(self.image, other.image)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return bool(self._values(self) == other._values(other)) and self._same_pixels(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self._kind()}(label={self.label}, id={self.id}, group={self.group})"


class RleMask(Mask):
    """A mask in run lengths. They are checked when they are used, or by `check`.

    Parameters:
        rle: ``{"size": [height, width], "counts": ...}`` as pycocotools has it, the counts compressed or a list of run
            lengths; or a function that returns one, which is called each time the mask is needed.
        label, z_order: as of `Shape`.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ("_rle",)

    _rle: Any

    def __init__(
        self,
        rle: masks.Rle | Callable[[], masks.Rle],
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        Shape.__init__(self, label, z_order, id, attributes, group, **details)
        self._rle = rle if callable(rle) else rle_form(self._kind(), rle)

    @classmethod
    def from_polygons(
        cls, polygons: Iterable[Sequence[float]], height: int, width: int, **values: Any
    ) -> Self:
        """The mask of polygons in an image of this size, as pycocotools rasterises them.

        Parameters:
            polygons: x and y in turn, for each polygon.
            height, width: of the image.
            values: further arguments of the constructor.

        Raises:
            AnnotationError: a polygon makes no sense.
        """
        return cls(masks.from_polygons(polygons, height, width), **values)

    @property
    def rle(self) -> dict[str, Any]:
        return rle_form(self._kind(), self._rle()) if callable(self._rle) else self._rle

    @property
    def image(self) -> BinaryMask:
        """The pixels, bool, of shape (height, width); decoded each time."""
        return masks.decode(self.rle)

    @property
    def size(self) -> tuple[int, int]:
        return checked_size(self.rle["size"])

    def get_area(self) -> int:
        return masks.area(self.rle)

    def get_bbox(self) -> list[float]:
        return [*masks.box(self.rle)]

    def check(self) -> None:
        super().check()
        counts_of(self.rle)

    def as_dict(self) -> dict[str, Any]:
        return {"rle": self._rle, **super(Mask, self).as_dict()}

    def _same_pixels(self, other: Mask) -> bool:
        return masks.same(self.rle, other.rle)


def binary(kind: str, image: Any) -> BinaryMask:
    """An array of bool.

    Raises:
        AnnotationError: it has other dimensions than (height, width).
    """
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise AnnotationError(
            f"{kind}.image has shape {array.shape} and type {array.dtype}; it must be numbers of shape (height, width)"
        )
    return array.astype(bool)


def rle_form(kind: str, rle: Any) -> dict[str, Any]:
    """A mask with compressed run lengths; only its form is checked.

    Raises:
        AnnotationError: it has another form, or run lengths in a list do not add up.
    """
    if not isinstance(rle, Mapping) or "size" not in rle or "counts" not in rle:
        raise AnnotationError(f"{kind}.rle is {shown(rle)}; it must be a dict with size and counts")
    counts = rle["counts"]
    if isinstance(counts, (bytes, str)):
        height, width = checked_size(rle["size"])
        return {"size": [height, width], "counts": counts.encode() if isinstance(counts, str) else counts}
    return masks.from_uncompressed(counts, rle["size"])


def index_mask(image: BinaryMask, index: int, ignore_index: int, dtype: DTypeLike | None) -> IndexMask:
    """An array with `index` where the mask is, and `ignore_index` elsewhere."""
    chosen = (
        np.result_type(np.min_scalar_type(index), np.min_scalar_type(ignore_index))
        if dtype is None
        else dtype
    )
    return np.where(image, np.asarray(index, chosen), np.asarray(ignore_index, chosen))
