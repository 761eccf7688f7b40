"""Binary masks as run lengths, in COCO's compressed form, equal to those of pycocotools bit for bit.

A mask is a dict ``{"size": [height, width], "counts": bytes}``. Runs go down the columns; the first is background.
No function makes an array of all pixels but `encode` and `decode`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ddfast.annotated.checks import coordinates
from ddfast.annotated.run_lengths import (
    MAX_PIXELS,
    Rle,
    changes,
    checked_size,
    compressed,
    counts_of,
    run_lengths,
)
from ddfast.errors import AnnotationError, MissingPackageError

__all__ = [
    "MAX_PIXELS",
    "Rle",
    "area",
    "box",
    "checked",
    "counts_of",
    "crop",
    "decode",
    "empty",
    "encode",
    "from_counts",
    "from_crop",
    "from_polygons",
    "from_uncompressed",
    "iou",
    "merge",
    "same",
    "union",
]

Array: TypeAlias = "np.ndarray[Any, Any]"

MAX_OUTLINE = 4 * 10**6  # pixels: the rasteriser needs about 100 bytes for each


def pycocotools() -> Any:
    """The compiled module of pycocotools.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        from pycocotools import _mask
    except ImportError as error:
        raise MissingPackageError("Masks need pycocotools: pip install 'ddfast[annotated]'") from error
    return _mask


def encode(mask: Array) -> dict[str, Any]:
    """The mask of an array of shape (height, width), in which everything but 0 belongs to it.

    Raises:
        AnnotationError: the array has other dimensions.
    """
    array = np.asarray(mask)
    if array.ndim != 2:
        raise AnnotationError(f"a mask has the shape {array.shape}; it must be (height, width)")
    height, width = checked_size(array.shape)
    if not array.size:
        return empty(height, width)
    encoded: list[dict[str, Any]] = pycocotools().encode(
        np.asfortranarray(array != 0).view(np.uint8)[:, :, None]
    )
    return encoded[0]


def decode(rle: Rle) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """All pixels of a mask, bool, of shape (height, width).

    Raises:
        AnnotationError: the mask is damaged.
    """
    counts = counts_of(rle)
    height, width = checked_size(rle["size"])
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape((height, width), order="F")


def empty(height: int, width: int) -> dict[str, Any]:
    """A mask without any pixel."""
    return from_counts(np.array([height * width]), height, width)


def from_counts(counts: Any, height: int, width: int) -> dict[str, Any]:
    """The mask with these run lengths, down the columns, background first.

    Parameters:
        counts: integers, not negative; their sum is the number of pixels.
        height: of the mask.
        width: of the mask.

    Raises:
        AnnotationError: the run lengths do not add up, or the mask has too many pixels.
    """
    height, width = checked_size((height, width))
    runs = run_lengths(counts, f"a mask of {height} x {width} pixels", height * width)
    return {"size": [height, width], "counts": compressed(runs)}


def from_uncompressed(counts: Sequence[int], size: Sequence[int]) -> dict[str, Any]:
    """The mask of COCO's uncompressed form: `counts` as in `from_counts`, `size` is height and width.

    Raises:
        AnnotationError: the run lengths do not add up, or the mask has too many pixels.
    """
    height, width = checked_size(size)
    return from_counts(counts, height, width)


def from_polygons(polygons: Iterable[Any], height: int, width: int) -> dict[str, Any]:
    """The union of polygons, rasterised as pycocotools does.

    Parameters:
        polygons: x and y in turn, for each polygon; at least three points. Parts outside of the image are cut.
        height: of the image.
        width: of the image.

    Raises:
        AnnotationError: a polygon has too few points or absurd coordinates, or the image has too many pixels.
    """
    height, width = checked_size((height, width))
    rings = [checked_ring(ring) for ring in polygons]
    if not rings or not height or not width:
        return empty(height, width)
    native = pycocotools()
    parts = native.frPoly(rings, height, width)
    merged: dict[str, Any] = parts[0] if len(parts) == 1 else native.merge(parts)
    return merged


def checked_ring(ring: Any) -> Array:
    """A polygon that the rasteriser can walk around.

    Raises:
        AnnotationError: it has too few points, or is too long.
    """
    points = np.array(coordinates("Polygon", "points", ring, 6), np.float64)
    with np.errstate(over="ignore"):
        steps = np.abs(np.diff(points.reshape(-1, 2), axis=0, append=points[None, :2])).max(axis=1)
        length, furthest = float(steps.sum()), float(np.abs(points).max())
    if not length <= MAX_OUTLINE or furthest > MAX_OUTLINE:
        raise AnnotationError(
            f"a polygon is {length:.3g} pixels long and reaches to {furthest:.3g}; more than {MAX_OUTLINE:,} are not"
            " supported"
        )
    return points


def from_crop(pixels: Array, left: int, top: int, height: int, width: int) -> dict[str, Any]:
    """The mask of `height` times `width` pixels that has these pixels at (`left`, `top`), and no others.

    Raises:
        AnnotationError: they do not fit, or the mask has too many pixels.
    """
    height, width = checked_size((height, width))
    rows, columns = pixels.shape
    if left < 0 or top < 0 or left + columns > width or top + rows > height:
        raise AnnotationError(
            f"{rows} x {columns} pixels at ({left}, {top}) do not fit into a mask of {height} x {width}"
        )
    edges = np.diff(np.asarray(pixels != 0, np.int8), axis=0, prepend=0, append=0).T
    starts, stops = (
        column * height + row for column, row in (np.nonzero(edges == 1), np.nonzero(edges == -1))
    )
    starts, stops = starts + left * height + top, stops + left * height + top
    apart = starts[1:] != stops[:-1]  # others go on in the next column
    starts, stops = starts[np.append(True, apart)[: len(starts)]], stops[np.append(apart, True)[: len(stops)]]
    bounds = np.stack([starts, stops], axis=1).ravel()
    end = height * width
    counts = np.diff(bounds, prepend=0, append=end)
    return {
        "size": [height, width],
        "counts": compressed(counts[:-1] if len(bounds) and bounds[-1] == end else counts),
    }


def checked(rle: Rle) -> dict[str, Any]:
    """A mask in the form that pycocotools reads without fault: size as a list, counts as bytes, nothing damaged.

    Raises:
        AnnotationError: the mask is damaged.
    """
    counts_of(rle)
    text = rle["counts"]
    height, width = rle["size"]
    return {
        "size": [int(height), int(width)],
        "counts": text.encode("ascii") if isinstance(text, str) else bytes(text),
    }


def merge(rles: Iterable[Rle], intersect: bool = False) -> dict[str, Any]:
    """The union, or the intersection, of masks of one size.

    Raises:
        AnnotationError: there is none, one is damaged, or their sizes differ.
    """
    masks = [checked(rle) for rle in rles]
    sizes = {tuple(mask["size"]) for mask in masks}
    if len(sizes) != 1:
        raise AnnotationError(
            f"masks of the sizes {sorted(sizes)} cannot be merged; all must have the same height and width"
        )
    if len(masks) == 1:
        return masks[0]
    merged: dict[str, Any] = pycocotools().merge(masks, int(intersect))
    return merged


def union(rles: Iterable[Rle]) -> dict[str, Any]:
    """The pixels that belong to any of several masks.

    Raises:
        AnnotationError: as of `merge`.
    """
    return merge(rles)


def area(rle: Rle) -> int:
    """Number of pixels.

    Raises:
        AnnotationError: the mask is damaged.
    """
    return int(counts_of(rle)[1::2].sum())


def box(rle: Rle) -> list[int]:
    """The box around the pixels: ``[x, y, width, height]``, where a single pixel has width 1; zeros without pixels.

    Raises:
        AnnotationError: the mask is damaged.
    """
    counts = counts_of(rle)
    height = int(rle["size"][0])
    stops = counts.cumsum()[1::2]
    starts = stops - counts[1::2]
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not len(starts):
        return [0, 0, 0, 0]
    left, right = int(starts[0] // height), int((stops[-1] - 1) // height)
    if (starts // height != (stops - 1) // height).any():  # a run goes on in the next column
        top, bottom = 0, height - 1
    else:
        top, bottom = int((starts % height).min()), int(((stops - 1) % height).max())
    return [left, top, right - left + 1, bottom - top + 1]


def crop(rle: Rle) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], list[int]]:
    """The pixels in the `box` of a mask, and the box. Only the columns of the box are decoded.

    Raises:
        AnnotationError: the mask is damaged.
    """
    left, top, columns, rows = box(rle)
    counts = counts_of(rle)
    height = int(rle["size"][0])
    stops = counts.cumsum().clip(left * height, (left + columns) * height)
    lengths = np.diff(stops, prepend=left * height)
    inside = np.repeat(np.arange(len(counts)) % 2 == 1, lengths)
    return inside.reshape((height, columns), order="F")[top : top + rows], [left, top, columns, rows]


def same(first: Rle, second: Rle) -> bool:
    """Whether two masks have the same size and pixels, however they are compressed.

    Raises:
        AnnotationError: a mask is damaged, and they are not equal byte for byte.
    """
    if checked_size(first["size"]) != checked_size(second["size"]):
        return False
    return first["counts"] == second["counts"] or np.array_equal(changes(first), changes(second))


def iou(first: Sequence[Rle], second: Sequence[Rle], crowd: Sequence[bool] | None = None) -> Array:
    """Intersection over union of each mask of `first` with each of `second`, float64.

    Parameters:
        first: masks, such as detections.
        second: masks of the same size, such as the truth.
        crowd: for each of `second`: whether to divide by the area of the first mask instead of that of the union.

    Returns:
        An array of shape ``(len(first), len(second))``.

    Raises:
        AnnotationError: a mask is damaged, sizes differ, or `crowd` has another length.
    """
    masks = [checked(rle) for rle in first], [checked(rle) for rle in second]
    flags = [0] * len(second) if crowd is None else [int(flag) for flag in crowd]
    sizes = {tuple(mask["size"]) for side in masks for mask in side}
    if len(flags) != len(second) or len(sizes) > 1:
        raise AnnotationError(
            f"masks of the sizes {sorted(sizes)} with {len(flags)} crowd flags cannot be compared; all must have"
            f" the same height and width, and there must be {len(second)} flags"
        )
    if not masks[0] or not masks[1]:
        return np.zeros((len(masks[0]), len(masks[1])))
    values: Array = pycocotools().iou(*masks, flags)
    return values
