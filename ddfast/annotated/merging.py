"""Merging of items that are the same, and of equal categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ddfast.errors import CategoriesMismatchError

if TYPE_CHECKING:
    from ddfast.annotated.categories import Categories
    from ddfast.annotated.item import DatasetItem
    from ddfast.annotated.kinds import AnnotationType


def same_categories(
    sources: Sequence[Mapping[AnnotationType, Categories]],
) -> dict[AnnotationType, Categories]:
    """The categories of several sources, which have to be equal where two sources have them.

    Raises:
        CategoriesMismatchError: they differ.
    """
    merged: dict[AnnotationType, Categories] = {}
    for source in sources:
        for kind, categories in source.items():
            if merged.setdefault(kind, categories) != categories:
                raise CategoriesMismatchError(
                    f"The {kind.name} categories of the sources differ. Merge the datasets by name of label instead"
                )
    return merged


def merge_items(first: DatasetItem, second: DatasetItem) -> DatasetItem:
    """Two items with the same id and subset as one: annotations and attributes of both, equal annotations once."""
    annotations = list(first.annotations)
    annotations += [one for one in second.annotations if one not in annotations]
    return first.wrap(
        annotations=annotations,
        attributes={**second.attributes, **first.attributes},
        media=first.media if first.media is not None else second.media,
    )
