"""Rows of the tables as objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ddfast.annotated.annotations import Annotation, Caption, Cuboid3d, Label, Span
from ddfast.annotated.boxes import Bbox, Ellipse
from ddfast.annotated.item import DatasetItem
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.media_files import media_of
from ddfast.annotated.packing import decimals_of
from ddfast.annotated.schema import CROWD
from ddfast.annotated.segments import RleMask
from ddfast.annotated.shapes import Points, Polygon, PolyLine, Skeleton
from ddfast.annotated.tables import Tables

if TYPE_CHECKING:
    import pyarrow as pa

# Columns that every annotation has under the same name.
COMMON = ("track", "frame", "author", "source", "status", "created", "score")

Row = dict[str, Any]


def items_of(tables: Tables, first: int, stop: int) -> Iterator[DatasetItem]:
    """The items ``[first, stop)`` with their annotations."""
    rows = _rows(tables.items.slice(first, stop - first))
    starts = tables.starts[first : stop + 1] - tables.starts[first]
    annotations = _rows(tables.annotations_of(first, stop))
    for number, row in enumerate(rows):
        own = annotations[starts[number] : starts[number + 1]]
        yield item_of(tables, first + number, row, own)


def item_of(tables: Tables, number: int, row: Row, annotations: list[Row]) -> DatasetItem:
    """The item of a row."""
    size = (row.get("height"), row.get("width"))
    return DatasetItem(
        id=row["id"],
        subset=row.get("subset"),
        annotations=[one for each in annotations for one in annotations_of(each, size)],
        attributes=_attributes(row.get("attributes")),
        media=tables.media[number] if number in tables.media else media_of(row),
        status=row.get("status"),
    )


def annotations_of(row: Row, size: tuple[int | None, int | None]) -> list[Annotation]:
    """The annotation of a row; polygons of several parts give one for each part, with the same id and group.

    Parameters:
        row: values by column.
        size: height and width of the item.
    """
    attributes = _attributes(row.get("attributes"))
    if row.get("crowd") is not None:
        attributes[CROWD] = row["crowd"]
    common: dict[str, Any] = {
        "id": row.get("id") or 0,
        "group": row.get("group") or 0,
        "attributes": attributes,
    }
    common.update((name, row[name]) for name in COMMON if row.get(name) is not None)
    return _MAKERS[row["type"]](row, size, common)


def _rows(table: pa.Table) -> list[Row]:
    """Rows of a table as dicts, without values that are null; packed columns are exact."""
    columns = {}
    for field in table.schema:
        values = table.column(field.name).to_pylist()
        places = decimals_of(field)
        if places is not None:
            values = [_exact(value, places) for value in values]
        columns[field.name] = values
    names = list(columns)
    return (
        [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)] if names else []
    )


def _exact(value: Any, places: int) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [round(one, places) for one in value]
    return round(value, places)


def _attributes(text: str | None) -> dict[str, Any]:
    return dict(_parsed(text)) if text else {}


@lru_cache(4096)
def _parsed(text: str) -> tuple[tuple[str, Any], ...]:
    return tuple(json.loads(text).items())


def _shape(row: Row) -> dict[str, Any]:
    return {"label": row.get("label"), "z_order": row.get("z_order") or 0}


def _box(row: Row, size: Any, common: Row) -> list[Annotation]:
    rotation = row.get("rotation") or 0.0
    return [Bbox(row["x"], row["y"], row["width"], row["height"], **_shape(row), rotation=rotation, **common)]


def _ellipse(row: Row, size: Any, common: Row) -> list[Annotation]:
    right, bottom = row["x"] + row["width"], row["y"] + row["height"]
    rotation = row.get("rotation") or 0.0
    return [Ellipse(row["x"], row["y"], right, bottom, **_shape(row), rotation=rotation, **common)]


def _polygons(row: Row, size: Any, common: Row) -> list[Annotation]:
    points, parts = row["points"], row.get("parts")
    if not parts:
        return [Polygon(points, **_shape(row), **common)]
    stops = [*parts[1:], len(points)]
    return [
        Polygon(points[start:stop], **_shape(row), **common) for start, stop in zip(parts, stops, strict=True)
    ]


def _polyline(row: Row, size: Any, common: Row) -> list[Annotation]:
    return [PolyLine(row["points"], **_shape(row), **common)]


def _points(row: Row, size: Any, common: Row) -> list[Annotation]:
    return [Points(row["points"], row.get("visibility"), **_shape(row), **common)]


def _mask(row: Row, size: Any, common: Row) -> list[Annotation]:
    height, width = row.get("mask_height"), row.get("mask_width")
    shape = [size[0] if height is None else height, size[1] if width is None else width]
    return [RleMask({"size": shape, "counts": row["mask"]}, **_shape(row), **common)]


def _label(row: Row, size: Any, common: Row) -> list[Annotation]:
    return [Label(row["label"], **common)]


def _caption(row: Row, size: Any, common: Row) -> list[Annotation]:
    return [Caption(row["text"], **common)]


def _cuboid(row: Row, size: Any, common: Row) -> list[Annotation]:
    values = row["points"]
    return [Cuboid3d(values[:3], values[3:6], values[6:9], **_shape(row), **common)]


def _skeleton(row: Row, size: Any, common: Row) -> list[Annotation]:
    names = json.loads(row["text"]) if row.get("text") else None
    return [Skeleton(row["points"], row.get("visibility"), names, **_shape(row), **common)]


def _span(row: Row, size: Any, common: Row) -> list[Annotation]:
    start, end = map(int, row["points"])
    return [Span(start, end, row.get("label"), text=row.get("text"), **common)]


_MAKERS: dict[str, Callable[[Row, Any, Row], list[Annotation]]] = {
    AnnotationType.bbox.name: _box,
    AnnotationType.polygon.name: _polygons,
    AnnotationType.polyline.name: _polyline,
    AnnotationType.points.name: _points,
    AnnotationType.mask.name: _mask,
    AnnotationType.label.name: _label,
    AnnotationType.caption.name: _caption,
    AnnotationType.cuboid_3d.name: _cuboid,
    AnnotationType.skeleton.name: _skeleton,
    AnnotationType.span.name: _span,
    AnnotationType.ellipse.name: _ellipse,
}
