"""The stored form: a datadings dataset whose samples carry their annotations, with two files of ours beside it.

``X.msgpack.meta`` is JSON: categories, where the data came from, and the version of the form. ``X.msgpack.table``
holds all annotations again, so that nothing needs to read the images; see `table_file`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_128_hexdigest

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import Categories, LabelCategories
from ddfast.annotated.colors import MaskCategories
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.media_reader import MediaReader
from ddfast.annotated.sample_form import packed_annotations, unpack_annotations
from ddfast.annotated.schema import VERSION
from ddfast.annotated.table_file import read_table_file, write_table_file
from ddfast.annotated.tables import Tables, codes, concatenate, integers, with_column
from ddfast.errors import DatasetExistsError, TableFileError
from ddfast.index import SUFFIX_META, SUFFIX_OFFSETS, SUFFIX_TABLE
from ddfast.reader import MsgpackReader
from ddfast.writer import FileWriter

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.report import Report


HERE = "."
"""Place of images that are in the samples."""

CATEGORIES: dict[AnnotationType, type[Categories]] = {
    AnnotationType.label: LabelCategories,
    AnnotationType.mask: MaskCategories,
    AnnotationType.points: PointsCategories,
}

READ_SAMPLES = 1024
WRITE_SAMPLES = 4096


def write_stored(
    tables: Tables, path: str | os.PathLike[str], report: Report, *, media: bool = True, overwrite: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write a dataset as one ddfast file.

    Parameters:
        tables: what to write.
        path: of the data file.
        report: counts what is written.
        media: whether samples hold their images.
        overwrite: replace an existing dataset.
        origin: where the data came from, for the ``.meta`` file.

    Raises:
        DatasetExistsError: there is a dataset, and ``overwrite`` is false.
    """
    target = Path(path).absolute()
    if target.exists() and not overwrite:
        raise DatasetExistsError(f"{target} exists. Pass overwrite=True (--overwrite) to replace it")
    keys = _keys(tables)
    with FileWriter(target, overwrite=True, disable=True) as writer:
        for sample in _samples(tables, keys, media, report):
            writer.write(sample)
    stored = with_column(tables.items, "key", _text_array(keys))
    stored = with_column(stored, "place", _places(tables, media))
    _write_meta(target, tables.categories, origin or {})
    _replace(target, SUFFIX_TABLE, lambda file: write_table_file(
        file, Tables(stored, tables.annotations, tables.categories), identity(target)
    ))  # fmt: skip


def _places(tables: Tables, media: bool) -> Any:
    """The place of each item: ``HERE`` if its sample has an image, else null."""
    import pyarrow as pa

    numbers = codes(tables.items, "place")[0]
    numbers[list(tables.media)] = 0
    missing = (numbers < 0) | (not media)
    codes_of = pa.array(np.zeros(len(numbers), np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(codes_of, pa.array([HERE]))


def _text_array(values: list[str]) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.string())


def _keys(tables: Tables) -> list[str]:
    """Unique keys: the ids of items, or subset and id if an id is in several subsets."""
    ids: list[str] = tables.items.column("id").to_pylist() if tables.items.num_rows else []
    if len(set(ids)) == len(ids):
        return ids
    numbers, names = codes(tables.items, "subset")
    subsets = [names[number] if number >= 0 else "" for number in numbers.tolist()]
    return [f"{subset}/{name}" for subset, name in zip(subsets, ids, strict=True)]


def _samples(tables: Tables, keys: list[str], media: bool, report: Report) -> Iterator[dict[str, Any]]:
    reader = MediaReader(tables)
    labels = _single_labels(tables)
    for first, stop in tables.blocks(WRITE_SAMPLES):
        rows = tables.items.slice(first, stop - first).to_pylist()
        starts = tables.starts[first : stop + 1] - tables.starts[first]
        maps = packed_annotations(tables.annotations_of(first, stop), starts)
        for number, (row, one) in enumerate(zip(rows, maps, strict=True), first):
            yield _sample(row, keys[number], one, reader.read(number) if media else None, labels, number)
        report.counts["items"] += stop - first
        report.counts["annotations"] += int(starts[-1])
        report.advance(stop, tables.items.num_rows)
    report.counts["images"] += reader.count


def _sample(
    row: Mapping[str, Any],
    key: str,
    annotations: Mapping[str, Any],
    image: bytes | None,
    labels: Any,
    number: int,
) -> dict[str, Any]:
    sample: dict[str, Any] = {"key": key}
    if image is not None:
        sample["image"] = image
    if row["id"] != key:
        sample["id"] = row["id"]
    for name in ("path", "height", "width", "subset", "kind", "frames", "status"):
        if name in row:
            sample[name] = row[name]
    if row.get("attributes"):
        sample["attributes"] = row["attributes"]
    if labels is not None:
        sample["label"] = int(labels[number])
    sample["annotations"] = annotations
    return sample


def _single_labels(tables: Tables) -> Any:
    """The label of each item if all items have exactly one annotation, a label; otherwise None."""
    names = codes(tables.annotations, "type")[1]
    if names != [AnnotationType.label.name] or not tables.items.num_rows:
        return None
    if tables.annotations.num_rows != tables.items.num_rows or bool(
        (tables.starts[1:] - tables.starts[:-1] != 1).any()
    ):
        return None
    found = integers(tables.annotations, "label", -1)
    return None if bool((found < 0).any()) else found


def read_stored(path: str | os.PathLike[str]) -> Tables:
    """The tables of a dataset: mapped from its ``.table`` file, or made from its samples.

    Raises:
        TableFileError: the ``.table`` or ``.meta`` file is damaged or belongs to another dataset.
    """
    target = Path(path).absolute()
    categories = read_meta(target)
    try:
        tables = read_table_file(_beside(target, SUFFIX_TABLE), identity(target))
    except FileNotFoundError:
        tables = tables_of_samples(target)
    return Tables(_with_place(tables.items, os.fspath(target)), tables.annotations, categories)


def _with_place(items: pa.Table, place: str) -> pa.Table:
    """Items with the path of the dataset in the place of ``HERE``."""
    import pyarrow as pa

    if "place" not in items.column_names:
        return items
    names = pa.array([place])
    chunks = [pa.DictionaryArray.from_arrays(chunk.indices, names) for chunk in items.column("place").chunks]
    return with_column(items, "place", pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string())))


def tables_of_samples(path: Path, progress: Callable[[int, int], None] | None = None) -> Tables:
    """The tables of a dataset from its samples; of any datadings dataset with labels, too."""
    parts = []
    with MsgpackReader(path) as reader:
        columns = ("key", "id", "subset", "path", "height", "width", "kind", "frames", "status", "attributes")
        done = 0
        for batch in reader.batches(READ_SAMPLES):
            parts.append(_tables_of_batch(list(batch), columns))
            done += len(batch)
            if progress is not None:
                progress(done, len(reader))
    return concatenate(parts) if parts else Tables.empty()


def _tables_of_batch(samples: list[dict[str, Any]], columns: tuple[str, ...]) -> Tables:
    items = TableBuilder.of_items()
    values = {name: [sample.get(name) for sample in samples] for name in columns}
    values["id"] = [sample.get("id", sample["key"]) for sample in samples]
    has_image = ["image" in sample for sample in samples]
    values["kind"] = [
        kind or ("image" if known else None) for kind, known in zip(values["kind"], has_image, strict=True)
    ]
    values["place"] = [HERE if known else None for known in has_image]
    items.add(len(samples), **values)
    maps = [sample.get("annotations") or _label_only(sample) for sample in samples]
    return Tables(items.finish(), unpack_annotations(maps))


def _label_only(sample: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations of a plain dataset: the label of the sample."""
    label = sample.get("label")
    if not isinstance(label, int) or label < 0:
        return {}
    return {"type": [AnnotationType.label.value], "label": [label]}


def write_table(path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> int:
    """Make the ``.table`` file of a dataset from its samples; of any datadings dataset with labels, too.

    Parameters:
        path: of the data file.
        progress: called with the number of samples that were read and of all.

    Returns:
        The number of annotations.
    """
    target = Path(path).absolute()
    tables = tables_of_samples(target, progress)
    _replace(target, SUFFIX_TABLE, lambda file: write_table_file(file, tables, identity(target)))
    return int(tables.annotations.num_rows)


def identity(path: Path) -> str:
    """What identifies the samples of a dataset: a digest of its offsets, which end with the size of the data."""
    try:
        return xxh3_128_hexdigest(_beside(path, SUFFIX_OFFSETS).read_bytes())
    except FileNotFoundError:  # a legacy index
        return str(path.stat().st_size)


def read_meta(path: Path) -> dict[AnnotationType, Categories]:
    """The categories in the ``.meta`` file of a dataset, none if there is no file.

    Raises:
        TableFileError: the file is damaged.
    """
    file = _beside(path, SUFFIX_META)
    try:
        content = json.loads(file.read_bytes())
        if content["version"] != VERSION:
            raise TableFileError(f"{file} was written by another version of ddfast: {content['version']!r}")
        if content["dataset"] != identity(path):
            raise TableFileError(
                f"{file} does not belong to the data file, which was written again. Remove it"
            )
        return {
            AnnotationType[name]: CATEGORIES[AnnotationType[name]].from_json(form)
            for name, form in content["categories"].items()
        }
    except FileNotFoundError:
        return {}
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, TableFileError):
            raise
        raise TableFileError(f"{file} is damaged: {error}. Write the dataset again") from error


def _write_meta(
    path: Path, categories: Mapping[AnnotationType, Categories], origin: Mapping[str, Any]
) -> None:
    forms = {kind.name: one.to_json() for kind, one in categories.items()}
    content = {
        "version": VERSION,
        "dataset": identity(path),
        "origin": dict(origin),
        "categories": forms,
    }
    text = json.dumps(content, ensure_ascii=False, indent=1).encode()
    _replace(path, SUFFIX_META, lambda file: file.write_bytes(text))


def _replace(path: Path, suffix: str, write: Callable[[Path], Any]) -> None:
    """Write a file beside the data file under another name, and rename it."""
    final = _beside(path, suffix)
    temporary = path.with_name(f".{path.name}{suffix}.{secrets.token_hex(6)}")
    try:
        write(temporary)
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")
