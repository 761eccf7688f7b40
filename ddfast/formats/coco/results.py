"""COCO's files of results: an array of what a model has found."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddfast.annotated.json_values import states
from ddfast.annotated.source_folder import SourceFolder
from ddfast.annotated.tables import Tables, codes, with_column
from ddfast.formats.coco.columns import (
    boxes_column,
    bytes_column,
    keypoint_columns,
    scores_and_attributes,
)
from ddfast.formats.coco.files import file_of, with_images
from ddfast.formats.coco.ids import NONE, Lookup, TextIds
from ddfast.formats.coco.images import IMAGES
from ddfast.formats.coco.options import CocoWriteOptions
from ddfast.formats.coco.reading import CocoTables, FileAnnotations
from ddfast.formats.coco.records import ANNOTATIONS, Records
from ddfast.formats.coco.segments import Shapes
from ddfast.formats.coco.subset import Subset
from ddfast.tools.json_columns import JSONColumn, JSONReader, JSONRecords, json_column

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.coco.options import CocoResultsReadOptions, CocoResultsWriteOptions

KINDS = {
    "bbox": ("bbox",),
    "segm": ("mask", "polygon"),
    "keypoints": ("points",),
    "captions": ("caption",),
}
"""Types of annotations of each kind of results: pycocotools wants a file of its own for each."""


def read_results(
    source: SourceFolder, names: list[str], options: CocoResultsReadOptions, report: Report
) -> Tables:
    """The tables of files of results; the column ``source`` is the name of the file.

    Without a file of truth an item is called like the id of its image, and a label like that of its category.
    """
    truth = with_images(SourceFolder.of(options.truth)) if options.truth else source
    tables = CocoTables(truth, report, record="record {}")
    texts = TextIds()
    images, labels = _references(tables, options.truth, texts) if options.truth else (None, None)
    known: dict[int, int] = {}
    for name in names:
        path = source.path(name)
        records = Records(texts)
        with path.open("rb") as stream:
            for table in JSONReader(stream.fileno(), {"": ANNOTATIONS}, name=os.fspath(path)):
                records.add(table, partial(tables.problem_of_record, path, table.first))
                report.advance(stream.tell(), os.fstat(stream.fileno()).st_size)
        used = _items(tables, records, texts, known) if images is None else images
        meant = _labels(tables, records, texts) if labels is None else labels
        table = tables.resolved(records, used, meant, path)
        if table.num_rows:
            tables.parts.append(
                FileAnnotations("results", with_column(table, "source", _constant(path.stem, table.num_rows)))
            )
    return tables.finish()


def _references(tables: CocoTables, truth: str, texts: TextIds) -> tuple[Lookup, Lookup]:
    """The images and categories of an annotation file."""
    path = Path(truth)
    images = Lookup(texts)
    with path.open("rb") as stream:
        reader = JSONReader(stream.fileno(), {"images": IMAGES}, name=os.fspath(path))
        for table in reader:
            tables.items.add(table, file_of(path.name), images, texts, partial(tables.problem, path))
    return images, tables.labels.add(reader.rest.get("categories"), texts, partial(tables.problem, path))


def _items(tables: CocoTables, records: Records, texts: TextIds, known: dict[int, int]) -> Lookup:
    """An item for each image that results refer to."""
    for number in dict.fromkeys(np.concatenate([*records.image_ids, np.empty(0, np.int64)]).tolist()):
        if number not in known:
            text = texts.text(number)
            attributes = json.dumps({"id": number if text is None else text}, ensure_ascii=False)
            known[number] = tables.items.add_unnamed(
                "default", str(number) if text is None else text, attributes
            )
    images = Lookup(texts)
    images.add(np.array(list(known), np.int64), np.array(list(known.values()), np.int64))
    return images


def _labels(tables: CocoTables, records: Records, texts: TextIds) -> Lookup:
    """A label for each category that results refer to."""
    numbers = np.unique(np.concatenate([*records.category_ids, np.empty(0, np.int64)])).tolist()
    ids = [
        number if texts.text(number) is None else texts.text(number) for number in numbers if number != NONE
    ]
    form = json.dumps([{"id": one, "name": str(one)} for one in ids], ensure_ascii=False).encode()
    return tables.labels.add(form, texts, lambda place, text: None)


def _constant(text: str, count: int) -> pa.Array:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))


def write_results(
    tables: Tables, output: OutputFolder, options: CocoResultsWriteOptions, report: Report
) -> None:
    """Write an array of results for each subset and kind: ``bbox_val_results.json``."""
    report.counts["items"] += tables.items.num_rows
    numbers, subsets = codes(tables.items, "subset")
    for code, subset in enumerate(subsets):
        rows = np.flatnonzero(numbers == code)
        part = Subset(tables.take_items(rows), [""] * len(rows), CocoWriteOptions(reindex=options.reindex))
        for kind, types in KINDS.items():
            chosen = np.flatnonzero(np.isin(part.types, types))
            if not len(chosen):
                continue
            table = part.tables.annotations.take(chosen)
            with output.open(f"{kind}_{subset}_results.json") as file:
                file.write(b"[")
                file.writelines(JSONRecords(_columns(part, table, kind), table.num_rows))
                file.write(b"]\n")
            report.counts["annotations"] += table.num_rows


def _columns(part: Subset, table: pa.Table, kind: str) -> dict[str, JSONColumn | bytes]:
    columns = part.references(table)
    if kind == "bbox":
        columns["bbox"] = boxes_column(table)
    elif kind == "segm":
        shapes = Shapes(table, part.sizes, "mask")
        columns["segmentation"] = bytes_column(
            "raw", [_segmentation(shapes, row) for row in range(table.num_rows)]
        )
    elif kind == "keypoints":
        columns["keypoints"] = keypoint_columns(table)["keypoints"]
    else:
        columns["caption"] = bytes_column("string", table.column("text").to_pylist())
    scores = scores_and_attributes(table)[0]
    return {**columns, "score": json_column("number", scores, states=states(~np.isnan(scores)))}


def _segmentation(shapes: Shapes, row: int) -> str:
    """A mask with compressed run lengths, as pycocotools demands it; a polygon where no size is known."""
    if not shapes.as_mask[row]:
        return json.dumps([ring.tolist() for ring in shapes.rings(row)])
    rle = shapes.rle(row)
    return json.dumps({"size": rle["size"], "counts": rle["counts"].decode()})
