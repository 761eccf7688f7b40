"""Masks of all objects of an image as PNG: the colour or number of each pixel says what it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any, TypeAlias

import numpy as np

from ddfast.annotated.colors import RgbColor, voc_color
from ddfast.annotated.pixels import opened, pillow
from ddfast.formats.voc.label_map import VOID_INDEX

Array: TypeAlias = "np.ndarray[Any, Any]"

NOTHING = -1  # pixels that belong to no label
UNKNOWN = -2  # pixels of a colour that no label has


def read_image(path: str) -> tuple[Array, Array | None]:
    """The pixels of an image of masks.

    Returns:
        Grey images: their values, and None. Images with a palette: indices, and the palette, uint8, of shape
        (colours, 3). Others: red, green and blue as one number, 65536 r + 256 g + b, and an empty palette.

    Raises:
        MediaError, ImageError, MissingPackageError: as of `ddfast.annotated.pixels.opened`.
    """
    with opened(path, path) as image:
        image.load()
        if image.mode == "P":
            colors = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
            palette = np.zeros((256, 3), np.uint8)
            palette[: len(colors)] = colors
            return np.asarray(image).astype(np.int64), palette
        if image.mode in ("L", "1", "I", "I;16", "I;16B", "I;16L"):
            return np.asarray(image).astype(np.int64), None
        pixels = np.asarray(image.convert("RGB")).astype(np.int64)
        return packed(pixels), np.empty((0, 3), np.uint8)


def packed(colors: Array) -> Array:
    """Red, green and blue in the last dimension as one number."""
    return (colors[..., 0] << 16) | (colors[..., 1] << 8) | colors[..., 2]


def labels_in(path: str, colors: Mapping[int, RgbColor], count: int) -> tuple[Array, set[RgbColor | int]]:
    """The label of each pixel.

    A pixel of an image with a palette has the label of its index if that has this colour, else the label of the colour.

    Parameters:
        path: of the image.
        colors: of labels.
        count: of labels.

    Returns:
        int64, of shape (height, width), `NOTHING` for black pixels if no label is black, `UNKNOWN` for pixels of other
        colours or indices; and these.
    """
    pixels, palette = read_image(path)
    known = {packed(np.array(color)).item(): label for label, color in reversed(list(colors.items()))}
    void = known.get(packed(np.array(voc_color(VOID_INDEX))).item(), UNKNOWN)
    values, inverse = np.unique(pixels, return_inverse=True)
    numbers, unknown = [], set[RgbColor | int]()
    for value in values.tolist():
        if palette is None:
            found = value if value < count else void if value == VOID_INDEX else UNKNOWN
            shown: RgbColor | int = value
        else:
            number = value if not len(palette) else packed(palette[value].astype(np.int64)).item()
            shown = (number >> 16, number >> 8 & 255, number & 255)
            found = value if len(palette) and colors.get(value) == shown else known.get(number, UNKNOWN)
            if found == UNKNOWN and number == 0:
                found = NOTHING
        numbers.append(found)
        if found == UNKNOWN:
            unknown.add(shown)
    return np.array(numbers, np.int64)[inverse].reshape(pixels.shape), unknown


def instances_in(path: str) -> Array:
    """The number of the object of each pixel, 0 for none; int64, of shape (height, width)."""
    pixels, palette = read_image(path)
    if palette is None or (len(palette) and _is_voc(palette, pixels)):
        return pixels
    values, inverse = np.unique(pixels, return_inverse=True)
    colors = values if not len(palette) else packed(palette[values].astype(np.int64))
    numbers = np.array(
        [index_of((one >> 16, one >> 8 & 255, one & 255)) for one in colors.tolist()], np.int64
    )
    return numbers[inverse].reshape(pixels.shape)


def _is_voc(palette: Array, pixels: Array) -> bool:
    """Whether the colours that an image uses are those of Pascal VOC, or no colours at all."""
    used = np.unique(pixels)
    expected = np.array([voc_color(index) for index in used.tolist()], np.uint8)
    grey = np.repeat(used[:, None], 3, axis=1)
    return np.array_equal(palette[used], expected) or np.array_equal(palette[used], grey)


def index_of(color: RgbColor) -> int:
    """The index of a colour of Pascal VOC; the inverse of `voc_color`."""
    index = 0
    for bit in range(8):
        for channel in range(3):
            index |= (color[channel] >> (7 - bit) & 1) << (3 * bit + channel)
    return index


def index_png(index: Array, colors: Mapping[int, RgbColor] | None) -> bytes:
    """An image of indices as PNG: with a palette, or with red, green and blue if there are more than 256.

    Parameters:
        index: numbers from 0, of shape (height, width).
        colors: of indices; those of Pascal VOC for others. None for a grey image of 8 or 16 bits.
    """
    module = pillow()
    top = int(index.max(initial=0))
    if colors is None:
        image = module.fromarray(index.astype(np.uint8 if top < 256 else np.uint16))
    else:
        table = np.array([colors.get(one) or voc_color(one) for one in range(max(top + 1, 256))], np.uint8)
        if top < 256:
            image = module.fromarray(index.astype(np.uint8), "P")
            image.putpalette(table.tobytes())
        else:
            image = module.fromarray(table[index])
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
