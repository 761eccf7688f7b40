"""Records of a COCO file as columns of the table of annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder
from ddfast.formats.coco.chunk import Chunk, Problem
from ddfast.formats.coco.ids import Ids, TextIds

if TYPE_CHECKING:
    from ddfast.tools.json_columns import JSONTable

ANNOTATIONS: dict[str, Any] = {
    "id": "int", "image_id": "int", "category_id": "int", "segmentation": "segments", "bbox": "numbers",
    "area": "number", "iscrowd": "int", "score": "number", "attributes": "raw", "keypoints": "numbers",
    "caption": "string",
}  # fmt: skip


class Records:
    """Annotations of a file: columns without item and label, whose numbers are known only at the end of the file.

    Attributes:
        builder: the other columns.
        image_ids, category_ids, numbers: of each row: id of image and category, ``NONE`` for none, and the number of
            its record in the file; lists of arrays.

    Parameters:
        texts: ids of the file that are texts.
    """

    def __init__(self, texts: TextIds) -> None:
        self.texts = texts
        self.builder = TableBuilder.of_annotations()
        self.image_ids: list[npt.NDArray[np.int64]] = []
        self.category_ids: list[npt.NDArray[np.int64]] = []
        self.numbers: list[npt.NDArray[np.int64]] = []

    def add(self, table: JSONTable, problem: Problem) -> None:
        """Add the records of a chunk."""
        chunk = Chunk(table, problem, self.texts)
        for rows, columns in chunk.shapes():
            self._add(table, chunk, rows, columns)

    def take_ids(self) -> tuple[Ids, Ids, Ids]:
        """The ids of images and of categories, and the numbers; they are forgotten."""
        taken = self.image_ids, self.category_ids, self.numbers
        self.image_ids, self.category_ids, self.numbers = [], [], []
        image_ids, category_ids, numbers = map(np.concatenate, taken)
        return image_ids, category_ids, numbers

    def _add(self, table: JSONTable, chunk: Chunk, rows: Any, columns: dict[str, Any]) -> None:
        if not len(rows):
            return
        self.builder.add(len(rows), **chunk.common(rows), **columns)
        self.image_ids.append(chunk.ids["image_id"][rows])
        self.category_ids.append(chunk.ids["category_id"][rows])
        self.numbers.append(rows + table.first)
