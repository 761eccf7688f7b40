"""Annotated datasets as text: subsets, types of annotations, labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ddfast.storage import is_url
from ddfast.tools import path_append

LABELS_SHOWN = 100
BESIDE = (".meta", ".table")


def is_annotated(path: Path | str) -> bool:
    """Whether a path is that of a data file with a file of annotations or categories beside it."""
    return not is_url(path) and any(path_append(path, suffix).exists() for suffix in BESIDE)


def summary(path: str) -> dict[str, Any]:
    """Numbers of items by subset, and of annotations by type and by label."""
    # Imported here: most datasets have no annotations.
    from ddfast.annotated import AnnotationType, Dataset, LabelCategories
    from ddfast.annotated.tables import integers

    dataset = Dataset.import_from(path)
    tables = dataset.tables
    labels = dataset.categories().get(AnnotationType.label)
    names = [label.name for label in labels] if isinstance(labels, LabelCategories) else []
    numbers = integers(tables.annotations, "label", -1)
    counts = np.bincount(numbers[numbers >= 0], minlength=len(names)).tolist()
    return {
        "format": dataset.format,
        "items": tables.items.num_rows,
        "annotations": tables.annotations.num_rows,
        "subsets": _counts(tables.items, "subset"),
        "types": _counts(tables.annotations, "type"),
        "labels": [{"name": name, "count": count} for name, count in zip(names, counts, strict=False)],
    }


def _counts(table: Any, name: str) -> dict[str, int]:
    from ddfast.annotated.tables import codes

    numbers, names = codes(table, name)
    counts = np.bincount(numbers[numbers >= 0], minlength=len(names)).tolist()
    return dict(zip(names, counts, strict=True))


def lines(path: str, found: dict[str, Any]) -> Iterator[str]:
    """A summary as text."""
    yield f"{path}: {found['items']:,} items, {found['annotations']:,} annotations, format {found['format']}"
    for what in ("subsets", "types"):
        yield f"  {what}: {', '.join(f'{name} {count:,}' for name, count in found[what].items()) or 'none'}"
    labels = found["labels"]
    yield f"  {len(labels):,} labels{':' if labels else ''}"
    width = len(f"{max((label['count'] for label in labels), default=0):,}")
    for number, label in enumerate(labels[:LABELS_SHOWN]):
        yield f"  {number:>5}  {label['count']:>{width},}  {label['name']}"
    if len(labels) > LABELS_SHOWN:
        yield f"  and {len(labels) - LABELS_SHOWN:,} more"
