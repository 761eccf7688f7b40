"""Run lengths of masks, and COCO's compressed form of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from ddfast.annotated.checks import shown
from ddfast.errors import AnnotationError

__all__ = [
    "MAX_PIXELS",
    "Counts",
    "Rle",
    "changes",
    "checked_size",
    "compressed",
    "counts_of",
    "decompressed",
    "run_lengths",
]

Rle: TypeAlias = "Mapping[str, Any]"
Counts: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

MAX_PIXELS = 2**30  # of one mask: what a few bytes of a file may make a reader allocate


def checked_size(size: Any) -> tuple[int, int]:
    """Height and width of a mask.

    Raises:
        AnnotationError: they are no numbers, or there are too many pixels.
    """
    try:
        height, width = (int(length) for length in size)
    except (TypeError, ValueError, OverflowError):
        height, width = -1, -1
    if height < 0 or width < 0 or [height, width] != list(size):
        raise AnnotationError(f"a mask has the size {shown(size)}; it must be height and width")
    if height * width > MAX_PIXELS:
        raise AnnotationError(
            f"a mask has {height} x {width} pixels; more than {MAX_PIXELS:,} are not supported"
        )
    return height, width


def counts_of(rle: Rle) -> Counts:
    """The run lengths of a mask, int64: background, mask, background, and so on.

    Raises:
        AnnotationError: the mask is damaged.
    """
    try:
        size, text = rle["size"], rle["counts"]
        data = np.frombuffer(text.encode("ascii") if isinstance(text, str) else text, np.uint8).astype(
            np.int64
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        raise AnnotationError(
            f"a mask is {shown(rle)}; it must be a dict with size and counts, which are compressed run lengths"
        ) from None
    height, width = checked_size(size)
    counts = decompressed(data)
    if counts is None or (len(counts) and counts.min() < 0) or int(counts.sum()) != height * width:
        total = "damaged run lengths" if counts is None else f"run lengths for {int(counts.sum())} pixels"
        raise AnnotationError(f"a mask of {height} x {width} pixels has {total}: {shown(text)}")
    return counts


def decompressed(data: Counts) -> Counts | None:
    """Run lengths from characters with 5 bits each, lowest first; from the fourth on, differences to the one before the
    last. None if the characters are not of this form.
    """
    digits = data - 48
    if not len(digits):
        return digits
    more = (digits & 32) != 0
    if digits.min() < 0 or digits.max() > 63 or more[-1]:
        return None
    ends = np.flatnonzero(~more)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 7:  # more than 35 bits
        return None
    shifts = 5 * (np.arange(len(digits)) - np.repeat(starts, lengths))
    numbers = np.add.reduceat((digits & 31) << shifts, starts)
    negative = (digits[ends] & 16) != 0
    numbers -= negative * (np.int64(1) << (5 * lengths))
    numbers[1::2] = numbers[1::2].cumsum()
    numbers[2::2] = numbers[2::2].cumsum()
    return numbers


def compressed(counts: Counts) -> bytes:
    """Run lengths as characters; the inverse of `decompressed`, equal to what pycocotools writes."""
    numbers = counts.copy()
    numbers[3:] -= counts[1:-2]
    out = np.zeros((len(numbers), 8), np.uint8)
    used = np.zeros((len(numbers), 8), bool)
    rest, going = numbers, np.ones(len(numbers), bool)
    for at in range(8):
        digit, rest = rest & 31, rest >> 5
        ends = np.where(digit & 16, rest == -1, rest == 0)
        out[:, at] = digit + 48 + 32 * ~ends
        used[:, at] = going
        going = going & ~ends
        if not going.any():
            break
    return out[used].tobytes()


def run_lengths(counts: Any, what: str, pixels: int) -> Counts:
    """Run lengths as an array, int64.

    Raises:
        AnnotationError: they are no integers, negative, or do not add up.
    """
    try:
        runs = np.asarray(counts)
        if runs.ndim != 1 or (runs.size and runs.dtype.kind not in "iu"):
            raise ValueError
    except (ValueError, OverflowError):
        raise AnnotationError(f"{what} has the run lengths {shown(counts)}; they must be integers") from None
    runs = runs.astype(np.int64)
    if runs.size and (runs.min() < 0 or runs.max() > pixels):
        raise AnnotationError(f"{what} has a run length of {runs[(runs < 0) | (runs > pixels)][0]}")
    if int(runs.sum()) != pixels:
        raise AnnotationError(
            f"{what} has run lengths for {int(runs.sum())} pixels; they must add up to {pixels}"
        )
    return runs


def changes(rle: Rle) -> Counts:
    """Where, down the columns, background and mask change."""
    counts = counts_of(rle)
    ends, times = np.unique(
        counts.cumsum()[:-1], return_counts=True
    )  # runs of length 0 change twice at one place
    pixels = int(counts.sum())
    places: Counts = ends[(times % 2 == 1) & (ends < pixels)]
    return places
