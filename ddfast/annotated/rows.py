"""Objects as rows of the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.annotations import Annotation, Caption, Cuboid3d, Label, Span
from ddfast.annotated.boxes import BoxShape
from ddfast.annotated.builder import TableBuilder, ragged
from ddfast.annotated.geometry import polygon_areas
from ddfast.annotated.media_files import columns_of_media
from ddfast.annotated.schema import ANNOTATION_COLUMNS, CROWD
from ddfast.annotated.segments import Mask
from ddfast.annotated.shapes import Points, Polygon, PolyLine, Skeleton
from ddfast.annotated.tables import Tables
from ddfast.errors import AnnotationError

if TYPE_CHECKING:
    from ddfast.annotated.categories import Categories
    from ddfast.annotated.image import Image
    from ddfast.annotated.item import DatasetItem
    from ddfast.annotated.kinds import AnnotationType

LISTS = ("points", "visibility")
COMMON = ("label", "z_order", "track", "frame", "score", "author", "source", "status", "created")


def tables_of(items: Iterable[DatasetItem], categories: Mapping[AnnotationType, Categories]) -> Tables:
    """The tables of items that are objects."""
    items = list(items)
    media: dict[int, Image] = {}
    builder = TableBuilder.of_items()
    columns = columns_of_media(items, media)
    builder.add(
        len(items),
        id=[item.id for item in items],
        subset=[item.subset for item in items],
        status=[item.status for item in items],
        attributes=[attributes_text(item.attributes, item.id) for item in items],
        **columns,
    )
    rows = [
        dict(row_of(annotation), item=number)
        for number, item in enumerate(items)
        for annotation in item.annotations
    ]
    return Tables.of(builder.finish(), _table(rows).finish(), categories, media)


def _table(rows: list[dict[str, Any]]) -> TableBuilder:
    builder = TableBuilder.of_annotations()
    columns: dict[str, Any] = {}
    for name in ANNOTATION_COLUMNS:
        values = [row.get(name) for row in rows]
        if all(value is None for value in values):
            continue
        columns[name] = (
            _lists(values, np.float64 if name == "points" else np.int8) if name in LISTS else values
        )
    builder.add(len(rows), **columns)
    return builder


def _lists(values: list[Any], kind: Any) -> Any:
    flat = np.array([one for value in values if value is not None for one in value], kind)
    offsets = np.array([0, *accumulate(0 if value is None else len(value) for value in values)])
    return ragged(flat, offsets, np.array([value is None for value in values]))


def row_of(annotation: Annotation) -> dict[str, Any]:
    """Columns of one annotation, those without a value left out or None.

    Raises:
        AnnotationError: the tables have no place for an annotation of this class, or its attributes are not JSON.
    """
    row: dict[str, Any] = {name: getattr(annotation, name, None) for name in COMMON}
    row["type"] = annotation.type.name
    row["id"] = annotation.id or None
    row["group"] = annotation.group or None
    row["z_order"] = row["z_order"] or None
    attributes = annotation.attributes
    if attributes.get(CROWD) in (True, False):
        row["crowd"] = bool(attributes[CROWD])
        attributes = {name: value for name, value in attributes.items() if name != CROWD}
    row["attributes"] = attributes_text(attributes, f"{annotation.type.name} {annotation.id}")
    if isinstance(annotation, BoxShape):
        row.update(_box([annotation.x, annotation.y, annotation.w, annotation.h]))
        row["rotation"] = getattr(annotation, "rotation", None) or None
        row["area"] = annotation.get_area()
    elif isinstance(annotation, Mask):
        row.update(_mask(annotation))
    elif isinstance(annotation, Polygon):
        points = np.asarray(annotation.points, np.float64)
        row.update(_box(annotation.get_bbox()), points=points)
        row["area"] = float(polygon_areas(points, np.array([0, len(points)]))[0])
    elif isinstance(annotation, Points):
        row.update(_box(annotation.get_bbox()), points=annotation.points)
        row["visibility"] = [int(one) for one in annotation.visibility]
        if isinstance(annotation, Skeleton) and annotation.names is not None:
            row["text"] = json.dumps(annotation.names, ensure_ascii=False)
    elif isinstance(annotation, PolyLine):
        row.update(_box(annotation.get_bbox()), points=annotation.points)
    elif isinstance(annotation, Cuboid3d):
        row["points"] = [*annotation.position, *annotation.rotation, *annotation.scale]
    elif isinstance(annotation, Span):
        row.update(points=[annotation.start, annotation.end], text=annotation.text)
    elif isinstance(annotation, Caption):
        row["text"] = annotation.caption
    elif not isinstance(annotation, Label):
        raise AnnotationError(f"{type(annotation).__name__} has no place in an annotated dataset")
    return row


def _box(box: Iterable[float]) -> dict[str, float]:
    return dict(zip(("x", "y", "width", "height"), map(float, box), strict=True))


def _mask(mask: Mask) -> dict[str, Any]:
    rle = mask.rle
    height, width = rle["size"]
    return {
        **_box(mask.get_bbox()),
        "area": float(mask.get_area()),
        "mask": rle["counts"],
        "mask_height": height,
        "mask_width": width,
    }


def attributes_text(attributes: Mapping[str, Any], where: str) -> str | None:
    """Attributes as the text of a JSON object, None if there are none.

    Raises:
        AnnotationError: a value is not a string, number, bool, None, list or dict.
    """
    if not attributes:
        return None
    try:
        return json.dumps(attributes, ensure_ascii=False, separators=(", ", ": "), default=_plain)
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"Attributes of {where} are not JSON: {error}") from error


def _plain(value: Any) -> Any:
    """numpy scalars and arrays, sets and tuples as JSON has them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type")
