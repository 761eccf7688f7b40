"""Heights and widths of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ddfast.annotated.image import Image
from ddfast.annotated.media_files import media_of
from ddfast.annotated.tables import known_sizes

if TYPE_CHECKING:
    from ddfast.annotated.tables import Tables


def item_sizes(tables: Tables) -> npt.NDArray[np.int64]:
    """Height and width of each item, zeros if they are not known.

    Those that the tables do not say are read from the header of the image.

    Returns:
        int64, shape ``(items, 2)``.

    Raises:
        ImageError: an image is damaged.
    """
    sizes = known_sizes(tables.items)
    for row in np.flatnonzero((sizes <= 0).any(axis=1)).tolist():
        media = _media(tables, row)
        sizes[row] = (media.size if isinstance(media, Image) else None) or 0
    return sizes


def _media(tables: Tables, row: int) -> object:
    if row in tables.media:
        return tables.media[row]
    values = {name: tables.items.column(name)[row].as_py() for name in tables.items.column_names}
    return media_of(values) if values.get("place") else None
