"""A dataset of annotated items: imported, edited, selected from and exported."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated import exchange
from ddfast.annotated.categories import Categories, LabelCategories
from ddfast.annotated.item import DEFAULT_SUBSET, DatasetItem
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.merging import merge_items, same_categories
from ddfast.annotated.report import OnProblem, Report
from ddfast.annotated.rows import tables_of
from ddfast.annotated.tables import Tables, codes, concatenate
from ddfast.annotated.views import items_of
from ddfast.errors import ItemNotFoundError

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.format import Detection

Key = tuple[str, str]
CategoryMap = Mapping[AnnotationType, Categories]


class Dataset:
    """Items with annotations, and the categories that these refer to.

    Items come from tables and are made when they are asked for. What a user changes (`put`, `remove`) is kept beside
    the tables until they are needed; a change of an item that was got from the dataset needs a ``put``.

    Parameters:
        tables: of the items.

    Attributes:
        data_path: what the dataset was imported from or saved to, or None.
        format: name of the format of ``data_path``, or None.
        report: counts and problems of the import.
    """

    def __init__(self, tables: Tables | None = None) -> None:
        self._tables = Tables.empty() if tables is None else tables
        self._edits: dict[Key, DatasetItem | None] = {}
        self._rows: dict[Key, int] | None = None
        self.data_path: str | None = None
        self.format: str | None = None
        self.report = Report()

    # -- where datasets come from

    @classmethod
    def import_from(
        cls,
        path: str | os.PathLike[str],
        format: str | None = None,
        *,
        on_error: OnProblem = "raise",
        progress: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Dataset:
        """Read a dataset.

        Parameters:
            path: a folder or file of any format; or a ddfast dataset: a path, a pattern of shards, or a URL.
            format: its name; None to detect it.
            on_error: what to do about annotations that make no sense: ``"raise"``, ``"skip"``, or a function that is
                called with each `Problem`. `report` lists what was skipped.
            progress: called with the number of items that were read and of all, 0 while it is not known.
            options: of the format.

        Raises:
            FormatDetectionError: the format is not given and cannot be detected.
            UnknownFormatError, FormatOptionError: there is no such format or option.
            FormatError: a file is not what its format requires.
        """
        report = Report(on_error, progress)
        name, tables = exchange.read(path, format, options, report)
        dataset = cls(tables)
        dataset.data_path, dataset.format, dataset.report = os.fspath(path), name, report
        return dataset

    @staticmethod
    def detect(path: str | os.PathLike[str]) -> list[Detection]:
        """The formats that recognise ``path``, how sure they are, and why; the surest first."""
        return exchange.detections(path)

    @classmethod
    def from_iterable(
        cls, iterable: Iterable[DatasetItem], categories: CategoryMap | Iterable[str] | None = None
    ) -> Dataset:
        """A dataset of items.

        Parameters:
            iterable: the items; of several with the same id and subset, the last one counts.
            categories: by type of annotation; or names of labels.
        """
        dataset = cls(Tables.empty(_as_categories(categories)))
        for item in iterable:
            dataset.put(item)
        return dataset

    @classmethod
    def from_extractors(cls, *sources: Dataset) -> Dataset:
        """A dataset of the items of all sources. Items with the same id and subset become one, without repetitions.

        Raises:
            CategoriesMismatchError: the categories of two sources differ.
        """
        if len(sources) == 1:
            return cls(sources[0].tables)
        dataset = cls(Tables.empty(same_categories([source.categories() for source in sources])))
        for source in sources:
            for item in source:
                known = dataset.get(item.id, item.subset)
                dataset.put(item if known is None else merge_items(known, item))
        return dataset

    # -- what is in it

    @property
    def tables(self) -> Tables:
        """The tables, with all changes."""
        self._apply_edits()
        return self._tables

    def items_table(self) -> pa.Table:
        """One row an item, for pandas, polars and DuckDB; columns are described in docs/annotated.md."""
        return self.tables.complete_items()

    def annotations_table(self) -> pa.Table:
        """One row an annotation; ``item`` is the row of its item in `items_table`."""
        return self.tables.complete_annotations()

    def categories(self) -> dict[AnnotationType, Categories]:
        """The categories by type of annotation; labels, colours of masks, names of points."""
        return dict(self._tables.categories)

    def define_categories(self, categories: CategoryMap | Iterable[str]) -> None:
        """Set the categories."""
        self._tables = self._tables.with_categories(_as_categories(categories))

    def __len__(self) -> int:
        """Number of items."""
        known = self._keys() if self._edits else {}
        changes = sum(
            (item is not None) - (key in known)
            for key, item in self._edits.items()
            if (item is None) == (key in known)
        )
        return int(self._tables.items.num_rows) + changes

    def __iter__(self) -> Iterator[DatasetItem]:
        """Items in the order of the source; new ones at the end."""
        for first, stop in self._tables.blocks(256):
            for item in items_of(self._tables, first, stop):
                kept = self._edits.get((item.id, item.subset), item) if self._edits else item
                if kept is not None:
                    yield kept
        if self._edits:
            known = self._keys()
            yield from [item for key, item in self._edits.items() if item is not None and key not in known]

    def __contains__(self, item: object) -> bool:
        """Whether there is an item of this id and subset; ``item`` is an item, or its id, or both as a tuple."""
        if isinstance(item, DatasetItem):
            return self.get(item.id, item.subset) is not None
        if isinstance(item, tuple):
            return self.get(*item) is not None
        return isinstance(item, str) and self.get(item) is not None

    def __repr__(self) -> str:
        labels = self._tables.categories.get(AnnotationType.label)
        count = len(labels) if isinstance(labels, LabelCategories) else 0
        subsets = ", ".join(map(repr, self.subsets()))
        return (
            f"Dataset({len(self):,} items, {self.tables.annotations.num_rows:,} annotations, {count} labels, "
            f"subsets {subsets or 'none'})"
        )

    # -- changes

    def put(self, item: DatasetItem, id: str | None = None, subset: str | None = None) -> None:
        """Add an item, or replace the one with the same id and subset."""
        if id is not None or subset is not None:
            item = item.wrap(
                id=item.id if id is None else id, subset=item.subset if subset is None else subset
            )
        self._edits[item.id, item.subset] = item

    def get(self, id: str, subset: str | None = None) -> DatasetItem | None:
        """The item of an id and subset, or None."""
        key = (str(id), subset or DEFAULT_SUBSET)
        if key in self._edits:
            return self._edits[key]
        row = self._keys().get(key)
        return None if row is None else next(items_of(self._tables, row, row + 1))

    def remove(self, id: str, subset: str | None = None) -> None:
        """Remove an item; does nothing if there is none."""
        key = (str(id), subset or DEFAULT_SUBSET)
        if key in self._keys():
            self._edits[key] = None
        else:
            self._edits.pop(key, None)

    def update(self, items: Iterable[DatasetItem]) -> Dataset:
        """Add or replace items; returns the dataset."""
        for item in items:
            self.put(item)
        return self

    @property
    def is_modified(self) -> bool:
        """Whether there are changes since the import or the last `save`."""
        return bool(self._edits)

    # -- parts

    def select(self, predicate: Callable[[DatasetItem], bool]) -> Dataset:
        """The items for which a function is true, as another dataset."""
        self._apply_edits()
        rows = [row for row, item in enumerate(self) if predicate(item)]
        return Dataset(self._tables.take_items(np.array(rows, np.int64)))

    def select_subsets(self, names: Iterable[str]) -> Dataset:
        """The items of some subsets, as another dataset."""
        numbers, known = codes(self.tables.items, "subset")
        wanted = [known.index(name) for name in names if name in known]
        return Dataset(self._tables.take_items(np.flatnonzero(np.isin(numbers, wanted))))

    def subsets(self) -> dict[str, DatasetSubset]:
        """The subsets by name, in order of appearance."""
        return {name: DatasetSubset(self, name) for name in self._subset_names()}

    def get_subset(self, name: str) -> DatasetSubset:
        """A subset.

        Raises:
            ItemNotFoundError: there is no item in a subset of this name.
        """
        if (name or DEFAULT_SUBSET) not in self._subset_names():
            known = ", ".join(map(repr, self._subset_names()))
            raise ItemNotFoundError(f"There is no subset {name!r}; there are {known or 'none'}")
        return DatasetSubset(self, name or DEFAULT_SUBSET)

    def _subset_names(self) -> list[str]:
        found, names = codes(self.tables.items, "subset")
        _, first = np.unique(found, return_index=True)
        return [names[found[position]] for position in sorted(first)]

    # -- where datasets go

    def export(
        self,
        save_dir: str | os.PathLike[str],
        format: str | None = None,
        *,
        save_media: bool | None = None,
        overwrite: bool = False,
        strict: bool = False,
        progress: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Report:
        """Write the dataset in a format.

        Parameters:
            save_dir: a folder, which appears when it is complete; or a file ``x.msgpack``: one ddfast dataset.
            format: name of the format; may be left out for ``.msgpack``.
            save_media: whether images are copied, too. None: into a ddfast dataset, and not into folders.
            overwrite: replace what is there.
            strict: refuse if the format has no place for some of the annotations.
            progress: called with the number of items that were written and of all.
            options: of the format.

        Returns:
            What was written, and what had no place.

        Raises:
            DatasetExistsError: there is something at ``save_dir``, and ``overwrite`` is false.
            LossyExportError: ``strict``, and something has no place; nothing was written.
            UnknownFormatError, FormatOptionError: there is no such format or option.
        """
        save_media = options.pop("save_images", save_media)  # the name in Datumaro's documentation
        report = Report(progress=progress)
        exchange.write(
            self.tables,
            save_dir,
            format,
            options,
            report,
            media=save_media,
            overwrite=overwrite,
            strict=strict,
        )
        return report

    def save(self, save_dir: str | os.PathLike[str] | None = None, **options: Any) -> Report:
        """Write the dataset where it came from, or to ``save_dir``, in its format.

        Raises:
            ValueError: it came from nowhere, and ``save_dir`` is not given.
        """
        target = self.data_path if save_dir is None else os.fspath(save_dir)
        if target is None:
            raise ValueError("The dataset was not imported. Pass the folder to save it in")
        report = self.export(target, self.format or "datumaro", overwrite=True, **options)
        self.data_path, self.format = target, self.format or "datumaro"
        return report

    # -- rows

    def _keys(self) -> dict[Key, int]:
        """Row of each item of the tables, by id and subset."""
        if self._rows is None:
            items = self._tables.items
            if not items.num_rows:
                self._rows = {}
                return self._rows
            numbers, names = codes(items, "subset")
            subsets = [names[number] if number >= 0 else DEFAULT_SUBSET for number in numbers.tolist()]
            keys = zip(items.column("id").to_pylist(), subsets, strict=True)
            self._rows = {key: row for row, key in enumerate(keys)}
        return self._rows

    def _apply_edits(self) -> None:
        if not self._edits:
            return
        known, base = self._keys(), self._tables
        order = np.arange(base.items.num_rows)
        changed = {key: item for key, item in self._edits.items() if item is not None}
        new = []
        for number, key in enumerate(changed, base.items.num_rows):
            if key in known:
                order[known[key]] = number
            else:
                new.append(number)
        removed = [known[key] for key, item in self._edits.items() if item is None and key in known]
        order = np.concatenate([np.delete(order, removed), np.array(new, np.int64)])
        added = tables_of(changed.values(), base.categories)
        together = concatenate([base, added]) if base.items.num_rows else added
        plain = len(order) == together.items.num_rows and bool(np.all(order[1:] > order[:-1]))
        self._tables = together if plain else together.take_items(order)
        self._edits, self._rows = {}, None


class DatasetSubset:
    """The items of one subset; changes go to the dataset.

    Parameters:
        dataset: the whole.
        name: of the subset.
    """

    def __init__(self, dataset: Dataset, name: str) -> None:
        self.parent = dataset
        self.name = name

    def __iter__(self) -> Iterator[DatasetItem]:
        return iter(self.as_dataset())

    def __len__(self) -> int:
        numbers, names = codes(self.parent.tables.items, "subset")
        return int((numbers == names.index(self.name)).sum()) if self.name in names else 0

    def __contains__(self, item: object) -> bool:
        if isinstance(item, DatasetItem):
            return item.subset == self.name and item in self.parent
        return isinstance(item, str) and (item, self.name) in self.parent

    def put(self, item: DatasetItem) -> None:
        """Add or replace an item of the subset."""
        self.parent.put(item, subset=self.name)

    def get(self, id: str) -> DatasetItem | None:
        """The item of an id, or None."""
        return self.parent.get(id, self.name)

    def remove(self, id: str) -> None:
        """Remove an item."""
        self.parent.remove(id, self.name)

    def categories(self) -> dict[AnnotationType, Categories]:
        """The categories of the dataset."""
        return self.parent.categories()

    def select(self, predicate: Callable[[DatasetItem], bool]) -> Dataset:
        """The items for which a function is true, as another dataset."""
        return self.as_dataset().select(predicate)

    def as_dataset(self) -> Dataset:
        """A dataset of the items of the subset."""
        return self.parent.select_subsets([self.name])

    def export(self, save_dir: str | os.PathLike[str], format: str | None = None, **options: Any) -> Report:
        """Write the subset; see `Dataset.export`."""
        return self.as_dataset().export(save_dir, format, **options)


def _as_categories(categories: CategoryMap | Iterable[str] | None) -> dict[AnnotationType, Categories]:
    if categories is None:
        return {}
    if isinstance(categories, Mapping):
        return dict(categories)
    return {AnnotationType.label: LabelCategories.from_iterable(categories)}
