"""Columns of the two tables of an annotated dataset: names, Arrow types, and which are kept in fewer bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddfast.errors import MissingPackageError

if TYPE_CHECKING:
    import pyarrow as pa

# Version of the stored form: of the files ``.meta`` and ``.table``, and of the fields of a sample.
VERSION = 1

DECIMALS = b"decimals"
"""Key of the metadata of a column of float32: its exact float64 values are its values rounded to so many decimals."""

ITEM_COLUMNS = (
    "id", "subset", "key", "kind", "place", "path", "height", "width", "frames", "status", "attributes",
)  # fmt: skip

ANNOTATION_COLUMNS = (
    "item", "type", "label", "id", "group", "z_order",
    "x", "y", "width", "height", "rotation", "area",
    "points", "parts", "visibility", "mask", "mask_height", "mask_width", "text",
    "crowd", "frame", "track", "score", "author", "source", "status", "created", "attributes",
)  # fmt: skip

# Columns of exact float64 values that are kept as float32 where that loses nothing.
PACKED = {"points", "x", "y", "width", "height"}

CROWD = "is_crowd"
"""Attribute of annotation objects that is the column ``crowd`` of the tables."""


def arrow() -> Any:
    """The package pyarrow.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise MissingPackageError(
            "Annotated datasets need pyarrow: pip install 'ddfast[annotated]'"
        ) from error
    return pyarrow


def item_types() -> dict[str, pa.DataType]:
    """Arrow type of each column of the table of items."""
    pa = arrow()
    word = pa.dictionary(pa.int32(), pa.string())
    number = pa.int32()
    return {
        "id": pa.string(),
        "subset": word,
        "key": pa.string(),
        "kind": word,
        "place": word,
        "path": pa.string(),
        "height": number,
        "width": number,
        "frames": number,
        "status": word,
        "attributes": pa.string(),
    }


def annotation_types() -> dict[str, pa.DataType]:
    """Arrow type of each column of the table of annotations."""
    pa = arrow()
    word = pa.dictionary(pa.int32(), pa.string())
    number, large, real = pa.int32(), pa.int64(), pa.float64()
    return {
        "item": number,
        "type": pa.dictionary(pa.int8(), pa.string()),
        "label": number,
        "id": large,
        "group": large,
        "z_order": number,
        "x": real,
        "y": real,
        "width": real,
        "height": real,
        "rotation": real,
        "area": real,
        "points": pa.list_(real),
        "parts": pa.list_(number),
        "visibility": pa.list_(pa.int8()),
        "mask": pa.binary(),
        "mask_height": number,
        "mask_width": number,
        "text": pa.string(),
        "crowd": pa.bool_(),
        "frame": number,
        "track": large,
        "score": real,
        "author": word,
        "source": word,
        "status": word,
        "created": word,
        "attributes": word,
    }
