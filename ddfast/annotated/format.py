"""What a format is: how it is recognised, read and written, and what it can hold."""

from __future__ import annotations

import dataclasses
import difflib
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ddfast.annotated.tables import Tables, codes
from ddfast.errors import FormatOptionError, UnknownFormatError

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder


@dataclass(frozen=True, slots=True)
class Detection:
    """That a format recognises a folder.

    Attributes:
        format: its name.
        confidence: 0 to 100; a file that only this format has gives 90 and more, names of folders alone at most 50.
        reason: what was found, as part of a sentence: ``"x.json has images and categories"``.
    """

    format: str
    confidence: int
    reason: str


@dataclass(frozen=True)
class Capabilities:
    """What a format can hold.

    Parameters:
        types: of annotations, such as ``"bbox"``.
        fields: columns of annotations beyond label and shape: ``"id"``, ``"group"``, ``"rotation"``, ``"score"``...
        attributes: whether annotations have arbitrary attributes; or the names of those that they can have.
        item_attributes: likewise of items.
        media: kinds of media.
    """

    types: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    attributes: bool | frozenset[str] = False
    item_attributes: bool | frozenset[str] = False
    media: frozenset[str] = frozenset({"image"})


PLURALS = {
    "bbox": "boxes",
    "mask": "masks",
    "points": "point sets",
    "skeleton": "skeletons",
    "label": "labels",
}

# Columns of annotations that a format may have no place for, and what a user calls a value.
FIELDS = {
    "rotation": "rotation angles",
    "score": "scores",
    "track": "track numbers",
    "frame": "frame numbers",
    "author": "authors",
    "source": "sources",
    "created": "dates",
    "group": "groups",
}


@dataclass(frozen=True)
class NoOptions:
    """A format without options."""


class Format(ABC):
    """A layout of files that is recognised, read and written.

    Class attributes:
        name: as users give it.
        title: one line for lists.
        layout: the tree of files, for `ddfast formats NAME`.
        holds: what it can hold.
        ReadOptions, WriteOptions: dataclasses. Each field is a keyword argument of ``import_from`` or ``export``, and
            an option of ``ddfast convert``; its metadata ``help`` is the help text, ``choices`` the values allowed.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    layout: ClassVar[str] = ""
    holds: ClassVar[Capabilities] = Capabilities()
    can_read: ClassVar[bool] = True
    can_write: ClassVar[bool] = True
    ReadOptions: ClassVar[type[Any]] = NoOptions
    WriteOptions: ClassVar[type[Any]] = NoOptions

    @abstractmethod
    def detect(self, source: SourceFolder) -> Detection | None:
        """Whether this format can read a folder, from its names and the first bytes of few files."""

    def read(self, source: SourceFolder, options: Any, report: Report) -> Tables:
        """The tables of a folder."""
        raise UnknownFormatError(f"Format {self.name!r} cannot be read, only written")

    def write(self, tables: Tables, output: OutputFolder, options: Any, report: Report, media: bool) -> None:
        """Write tables as files below ``output``; ``media`` says whether images are copied, too."""
        raise UnknownFormatError(f"Format {self.name!r} cannot be written, only read")

    def losses(self, tables: Tables, options: Any) -> Counter[str]:
        """What the format has no place for: kind and number."""
        return losses(tables, self.holds)


def losses(tables: Tables, holds: Capabilities) -> Counter[str]:
    """What is in the tables and a format cannot hold."""
    lost: Counter[str] = Counter()
    annotations = tables.annotations
    numbers, names = codes(annotations, "type")
    for code, name in enumerate(names):
        if name not in holds.types:
            lost[PLURALS.get(name, f"{name}s")] += int((numbers == code).sum())
    for column, what in FIELDS.items():
        if column in annotations.column_names and column not in holds.fields:
            lost[what] += annotations.num_rows - annotations.column(column).null_count
    if "attributes" in annotations.column_names and holds.attributes is False:
        lost["annotations' attributes"] += annotations.num_rows - annotations.column("attributes").null_count
    return +lost


def make_options(kind: type[Any], values: dict[str, Any], what: str) -> Any:
    """Options of a format from keyword arguments.

    Raises:
        FormatOptionError: there is no option of that name, or a value is not among its choices.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name, value in values.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            known = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(fields) or 'no options'}"
            raise FormatOptionError(f"{what} has no option {name!r}. {known}")
        choices = fields[name].metadata.get("choices")
        if choices and value not in choices:
            raise FormatOptionError(
                f"Option {name!r} of {what} is {value!r}; it accepts {', '.join(map(repr, choices))}"
            )
    return kind(**values)


def option(default: Any, help: str, choices: tuple[Any, ...] = ()) -> Any:
    """A field of a dataclass of options."""
    metadata = {"help": help, "choices": choices}
    if isinstance(default, list | dict | set):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
