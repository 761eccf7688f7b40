"""Items that are image files: ids from names, subsets from folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.paths import item_id
from ddfast.annotated.tables import Tables, codes

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.report import Report

SUBSET_NAME = re.compile(
    r"(train|training|val|valid|validation|test|testing|default|unlabeled)(\d{4})?", re.IGNORECASE
)
"""Names of folders and archives that are subsets without being told so."""


def ids_of(names: Sequence[str], report: Report, subsets: Sequence[str] | None = None) -> list[str]:
    """The id of each image: its name without extension. Of names that differ only there, all but the first keep it.

    Parameters:
        names: relative paths.
        report: told how many keep their extension.
        subsets: of the images; ids are unique in each.
    """
    found: list[str] = []
    known: set[tuple[str, str]] = set()
    kept = 0
    for subset, name in zip(subsets or [""] * len(names), names, strict=True):
        own = item_id(name)
        if (subset, own) in known:
            own, kept = name, kept + 1
        known.add((subset, own))
        found.append(own)
    if kept:
        report.notes.append(
            f"{kept:,} images have names that differ only in the extension: their ids keep it"
        )
    return found


def split_subsets(names: Sequence[str], by_folder: bool, subset: str = "") -> tuple[list[str], list[str]]:
    """The subset of each image, and its name in the subset.

    Parameters:
        names: relative paths.
        by_folder: the first folder is the subset.
        subset: name of the subset of the others.
    """
    parts = [name.partition("/") if by_folder else ("", "", name) for name in names]
    subsets = [(folder if slash else "") or subset or DEFAULT_SUBSET for folder, slash, _ in parts]
    return subsets, [inner if slash or not by_folder else folder for folder, slash, inner in parts]


def image_table(
    ids: Sequence[str], subsets: Sequence[str], places: Sequence[str] | str, paths: Sequence[str]
) -> pa.Table:
    """The table of items that are images.

    Parameters:
        places, paths: the folder or archive that each image is in, and its path there.
    """
    builder = TableBuilder.of_items()
    if len(ids):
        builder.add(
            len(ids), id=list(ids), subset=list(subsets), kind="image", place=places, path=list(paths)
        )
    return builder.finish()


def subsets_of(tables: Tables) -> list[str]:
    """The subset of each item."""
    numbers, names = codes(tables.items, "subset")
    return [names[number] if number >= 0 else DEFAULT_SUBSET for number in numbers.tolist()]


def with_image(tables: Tables) -> npt.NDArray[np.bool_]:
    """Which items have an image."""
    places, _ = codes(tables.items, "place")
    found = places >= 0
    found[list(tables.media)] = True
    return found
