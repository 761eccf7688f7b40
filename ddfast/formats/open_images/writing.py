"""Writes tables as the files of Open Images."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks, pixels
from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.geometry import far_ends
from ddfast.annotated.image_sizes import SIZES_FILE, sizes_text
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.media_reader import MediaReader
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.pixels import read_header
from ddfast.annotated.tables import Tables, codes, floats, integers, known_sizes, mask_sizes
from ddfast.errors import ImageError, MediaError
from ddfast.formats.open_images.csv_file import csv_bytes
from ddfast.formats.open_images.layout import FLAGS, HIERARCHY, IMAGE_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.open_images.options import OpenImagesWriteOptions

__all__ = ["write"]

UNSAFE = re.compile(r"[^\w.-]")

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def write(
    tables: Tables, output: OutputFolder, options: OpenImagesWriteOptions, report: Report, media: bool
) -> None:
    """Write the classes, the files of each subset, the sizes of images, and the images."""
    labels = tables.categories.get(AnnotationType.label)
    items = labels.items if isinstance(labels, LabelCategories) else []
    names = [item.name for item in items]
    classes = csv_bytes({"LabelName": names, "DisplayName": names}, header=False) if names else b""
    output.write("annotations/class-descriptions.csv", classes)
    if any(item.parent for item in items):
        text = json.dumps(hierarchy({item.name: item.parent for item in items}), ensure_ascii=False, indent=4)
        output.write(f"annotations/{HIERARCHY}", f"{text}\n")
    report.counts["items"] += tables.items.num_rows
    files = file_names(tables, options.image_ext)
    numbers, subsets = codes(tables.items, "subset")
    sizes: dict[tuple[str, str], tuple[int, int]] = {}
    for code, subset in enumerate(subsets):
        rows = np.flatnonzero(numbers == code)
        if not len(rows):
            continue
        part = OpenImagesSubset(tables.take_items(rows), subset, names)
        part.write(output, report)
        sizes.update(part.known_sizes())
        if media:
            paths = [f"images/{subset}/{files[row]}" for row in rows]
            save_images(tables, rows.tolist(), paths, output, report)
    if sizes:
        output.write(f"annotations/{SIZES_FILE}", sizes_text(_named(sizes)))


def _named(sizes: dict[tuple[str, str], tuple[int, int]]) -> list[tuple[str, tuple[int, int]]]:
    """Sizes by id; with the subset before it for an id that has several sizes."""
    of_id: dict[str, set[tuple[int, int]]] = {}
    for (_, key), size in sizes.items():
        of_id.setdefault(key, set()).add(size)
    named = {
        key if len(of_id[key]) == 1 else f"{subset}/{key}": size for (subset, key), size in sizes.items()
    }
    return list(named.items())


def hierarchy(parents: dict[str, str]) -> dict[str, Any]:
    """The tree of labels below a root that is no label; labels without parent and children are left out."""
    nodes: dict[str, dict[str, Any]] = {}
    for name, parent in parents.items():
        if parent:
            node = nodes.setdefault(name, {"LabelName": name})
            nodes.setdefault(parent, {"LabelName": parent}).setdefault("Subcategory", []).append(node)
    root = next(name for number in range(len(parents) + 1) if (name := f"/m/{number}") not in parents)
    return {"LabelName": root, "Subcategory": [nodes[name] for name in nodes if not parents.get(name)]}


class OpenImagesSubset:
    """The items of one subset.

    Parameters:
        tables: the items and their annotations.
        name: of the subset.
        labels: names of all labels.
    """

    def __init__(self, tables: Tables, name: str, labels: list[str]) -> None:
        self._tables = tables
        self._name = name
        self._labels = np.array([*labels, ""], object)  # -1 is no label
        self._ids = np.array(tables.items.column("id").to_pylist(), object)
        self._sizes = np.stack([integers(tables.items, side) for side in ("width", "height")], axis=1).astype(
            float
        )
        numbers, names = codes(tables.annotations, "type")
        self._types = np.array([*names, ""], object)[numbers]

    def known_sizes(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Height and width of the items that have them, by subset and id."""
        rows = np.flatnonzero(self._sizes.min(axis=1) > 0)
        found = self._sizes[rows][:, ::-1].astype(int).tolist()
        return {
            (self._name, self._ids[row]): (size[0], size[1]) for row, size in zip(rows, found, strict=True)
        }

    def write(self, output: OutputFolder, report: Report) -> None:
        """Write the list of images, and the files of annotations that there are."""
        import pyarrow as pa

        count = len(self._ids)
        columns: dict[str, Any] = {name: pa.nulls(count, pa.string()) for name in IMAGE_COLUMNS}
        columns |= {"ImageID": self._ids, "Subset": pa.repeat(self._name, count)}
        output.write(f"annotations/{self._name}-images-with-rotation.csv", csv_bytes(columns))
        for kind, file, make in (
            ("label", "human-imagelabels", self._label_columns),
            ("bbox", "bbox", self._box_columns),
            ("mask", "object-segmentation", self._mask_columns),
        ):
            rows = np.flatnonzero(self._types == kind)
            if kind == "bbox":
                rows = self._with_size(rows, report)
            if len(rows):
                block = self._tables.annotations.take(rows)
                content = csv_bytes(make(block, output))
                output.write(f"annotations/{self._name}-annotations-{file}.csv", content)
                report.counts["annotations"] += len(rows)

    def _with_size(self, rows: Rows, report: Report) -> Rows:
        """Boxes whose image has a size; it is read from the image if the tables do not say it."""
        items = self._tables.item_rows[rows]
        reader = MediaReader(self._tables)
        for item in np.unique(items[self._sizes[items].min(axis=1) <= 0]).tolist():
            content = reader.read(item)
            if content is not None:
                try:
                    self._sizes[item] = read_header(content, self._ids[item]).size[::-1]
                except (ImageError, MediaError) as error:
                    report.problem(str(error), self._ids[item])
        known = self._sizes[items].min(axis=1) > 0
        if not known.all():
            report.lost["boxes in images of unknown size"] += int((~known).sum())
        kept: Rows = rows[known]
        return kept

    def _common(self, block: pa.Table) -> dict[str, Any]:
        items, labels = integers(block, "item"), integers(block, "label", -1)
        return {"ImageID": self._ids[items], "LabelName": self._labels[labels]}

    def _scored(self, block: pa.Table) -> dict[str, Any]:
        import pyarrow as pa

        common = self._common(block)
        source = block.column("source").cast(pa.string()) if "source" in block.column_names else None
        numbers, texts = codes(block, "attributes")
        given = [json.loads(text).get("score") if text else None for text in [*texts, None]]
        named = np.array([float(one) if isinstance(one, int | float) else 1.0 for one in given])[numbers]
        scores = np.where(np.isnan(score := floats(block, "score")), named, score)
        return {
            "ImageID": common["ImageID"],
            "Source": pa.nulls(block.num_rows, pa.string()) if source is None else source,
            "LabelName": common["LabelName"],
            "Confidence": scores,
        }

    def _label_columns(self, block: pa.Table, output: OutputFolder) -> dict[str, Any]:
        return self._scored(block)

    def _sides(self, block: pa.Table) -> dict[str, Floats]:
        """The relative sides of boxes."""
        x, y, width, height = (floats(block, name) for name in ("x", "y", "width", "height"))
        across, down = self._sizes[integers(block, "item")].T
        return {
            "XMin": relative(x, across),
            "XMax": relative(far_ends(x, width), across),
            "YMin": relative(y, down),
            "YMax": relative(far_ends(y, height), down),
        }

    def _box_columns(self, block: pa.Table, output: OutputFolder) -> dict[str, Any]:
        numbers, texts = codes(block, "attributes")
        crowd = integers(block, "crowd", -1)
        known = [json.loads(text) if text else {} for text in [*texts, None]]
        columns: dict[str, Any] = {**self._scored(block), **self._sides(block)}
        for column, name in FLAGS.items():
            values = np.array([int(bool(one[name])) if name in one else -1 for one in known], np.int64)[
                numbers
            ]
            if name == "is_group_of":
                values = np.where((values < 0) & (crowd >= 0), crowd, values)
            columns[column] = values
        return columns

    def _mask_columns(self, block: pa.Table, output: OutputFolder) -> dict[str, Any]:
        common = self._common(block)
        texts = block.column("attributes").to_pylist() if "attributes" in block.column_names else []
        attributes = [json.loads(text) if text else {} for text in texts] or [{}] * block.num_rows
        taken: set[str] = set()
        boxes = [str(one.get("box_id", number)) for number, one in enumerate(attributes)]
        paths = []
        sizes, rles = (
            mask_sizes(block, known_sizes(self._tables.items)).tolist(),
            block.column("mask").to_pylist(),
        )
        for number, (key, box) in enumerate(zip(common["ImageID"], boxes, strict=True)):
            stem = UNSAFE.sub("_", f"{key}_{common['LabelName'][number]}_{box}")
            path = stem
            while path in taken:
                path += f"_{number}"
            taken.add(path)
            paths.append(f"{path}.png")
            image = masks.decode({"size": sizes[number], "counts": rles[number]}) * np.uint8(255)
            output.write(f"masks/{self._name}/{path}.png", pixels.encode(image, ".png"))
        return {
            "MaskPath": paths, **common, "BoxID": boxes, **self._boxes_of(block),
            "PredictedIoU": _numbers([one.get("predicted_iou") for one in attributes]),
            "Clicks": _numbers([None] * block.num_rows),
        }  # fmt: skip

    def _boxes_of(self, block: pa.Table) -> dict[str, Any]:
        """The sides of the box in the group of each mask; null if there is none."""
        import pyarrow as pa

        annotations = self._tables.annotations
        groups, items = integers(annotations, "group"), self._tables.item_rows
        boxes = np.flatnonzero((groups != 0) & (self._types == "bbox") & (self._sizes[items].min(axis=1) > 0))
        found = {(int(items[row]), int(groups[row])): place for place, row in enumerate(boxes.tolist())}
        keys = zip(integers(block, "item").tolist(), integers(block, "group").tolist(), strict=True)
        places = pa.array([found.get(key) for key in keys], pa.int64())
        sides = self._sides(annotations.take(boxes))
        return {f"Box{name}": pa.array(values, pa.float64()).take(places) for name, values in sides.items()}


def _numbers(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([float(one) if isinstance(one, int | float) else None for one in values], pa.float64())


def relative(values: Floats, sizes: Floats) -> Floats:
    """Coordinates divided by a size, with ten decimals if those give the coordinate back to 1e-12 pixels."""
    exact = values / sizes
    short = np.round(exact, 10)
    found: Floats = np.where(np.abs(short * sizes - values) <= 1e-12, short, exact)
    return found
