"""What the numbers in annotations mean: the base of all categories, and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ddfast.annotated.checks import shown
from ddfast.errors import CategoriesError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Categories", "GroupOfLabels", "LabelCategories", "LabelCategory", "entries", "integer_from_0"]

GROUP_TYPES = ("exclusive", "inclusive", "restricted")


class Categories:
    """The base of all categories.

    Parameters:
        attributes: names of attributes that annotations may have; not compared.
    """

    kind: ClassVar[str] = ""

    def __init__(self, attributes: Iterable[str] | None = None) -> None:
        self.attributes = names_in(self.kind, attributes)

    def to_json(self) -> dict[str, Any]:
        """The categories as dicts, lists, strings and numbers; `from_json` reads them."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, form: Any) -> Self:
        """Categories from what `to_json` returned.

        Raises:
            CategoriesError: the value has another form.
        """
        raise NotImplementedError


def names_in(kind: str, values: Any) -> set[str]:
    """Names of attributes as a set; a set is not copied.

    Raises:
        CategoriesError: one is no string.
    """
    names = set() if values is None else values if isinstance(values, set) else as_set(kind, values)
    if not all(isinstance(name, str) for name in names):
        raise CategoriesError(f"attributes of {kind} are {shown(values)}; they must be names")
    return names


def as_set(kind: str, values: Any) -> set[str]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise CategoriesError(f"attributes of {kind} are {shown(values)}; they must be names")
    return set(values)


def entries(kind: str, form: Any, name: str) -> list[Any]:
    """A list in a JSON form.

    Raises:
        CategoriesError: it is missing, or no list.
    """
    if not isinstance(form, Mapping) or not isinstance(form.get(name), list):
        raise CategoriesError(f"{kind} are {shown(form)}; they must be a map with a list {name!r}")
    listed: list[Any] = form[name]
    return listed


def integer_from_0(what: str, value: Any) -> int:
    """An index.

    Raises:
        CategoriesError: it is no integer from 0.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
        raise CategoriesError(f"{what} has the index {shown(value)}; it must be an integer from 0")
    return int(value)


@dataclass(slots=True)
class LabelCategory:
    """One label.

    Attributes:
        name: its name, not empty.
        parent: name of the class above it, such as COCO's supercategory.
        attributes: names of attributes that annotations with this label may have.
        id: its number or name in the source; not compared.
        extra: what else the source says about it, as JSON has it, such as LVIS's frequency; not compared.
    """

    name: str
    parent: str = ""
    attributes: set[str] = field(default_factory=set)
    id: int | str | None = field(default=None, compare=False)
    extra: dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise CategoriesError(f"the name of a label is {shown(self.name)}; it must be text, not empty")
        if self.parent is None:
            self.parent = ""
        if not isinstance(self.parent, str):
            raise CategoriesError(
                f"the parent of label {self.name!r} is {shown(self.parent)}; it must be a name"
            )
        self.attributes = names_in(f"label {self.name!r}", self.attributes)
        if self.id is not None and (isinstance(self.id, bool) or not isinstance(self.id, (int, str))):
            raise CategoriesError(
                f"the id of label {self.name!r} is {shown(self.id)}; it must be a number or text"
            )


@dataclass(slots=True)
class GroupOfLabels:
    """Labels that belong together.

    Attributes:
        name: its name, not empty.
        labels: names of labels.
        group_type: ``"exclusive"`` (an item has one of them), ``"inclusive"`` or ``"restricted"``.
    """

    name: str
    labels: list[str] = field(default_factory=list)
    group_type: str = "exclusive"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise CategoriesError(
                f"the name of a group of labels is {shown(self.name)}; it must be text, not empty"
            )
        if not isinstance(self.labels, list) or not all(isinstance(label, str) for label in self.labels):
            raise CategoriesError(
                f"labels of group {self.name!r} are {shown(self.labels)}; they must be names"
            )
        if isinstance(self.group_type, int) and 0 <= self.group_type < len(
            GROUP_TYPES
        ):  # Datumaro's GroupType
            self.group_type = GROUP_TYPES[self.group_type]
        if self.group_type not in GROUP_TYPES:
            raise CategoriesError(
                f"the type of group {self.name!r} is {shown(self.group_type)};"
                f" it must be one of {', '.join(GROUP_TYPES)}"
            )


class LabelCategories(Categories):
    """The labels of a dataset: the label of an annotation is an index of `items`.

    Two labels may have the same name if their parents differ.

    Parameters:
        items: labels, in order.
        label_groups: groups of labels.
        attributes: names of attributes that annotations with any label may have.

    Raises:
        CategoriesError: two labels have the same name and parent.
    """

    kind = "labels"
    Category = LabelCategory
    LabelGroup = GroupOfLabels

    def __init__(
        self,
        items: Iterable[LabelCategory] | None = None,
        label_groups: Iterable[GroupOfLabels] | None = None,
        attributes: Iterable[str] | None = None,
    ) -> None:
        super().__init__(attributes)
        self.items: list[LabelCategory] = []
        self.label_groups = list(label_groups or ())
        self._by_name: dict[str, int] = {}
        self._by_parent: dict[tuple[str, str], int] = {}
        for item in items or ():
            self._append(item)

    @classmethod
    def from_iterable(cls, iterable: Iterable[Any] | str) -> Self:
        """Labels from names, or from tuples ``(name, parent, attributes)`` of which all but the name may be missing.

        A single string is one name.
        """
        made = cls()
        for entry in [iterable] if isinstance(iterable, str) else iterable:
            made.add(*([entry] if isinstance(entry, str) else entry))
        return made

    def add(
        self,
        name: str,
        parent: str | None = None,
        attributes: Iterable[str] | None = None,
        id: int | str | None = None,
    ) -> int:
        """Add a label after the last one, and return its index.

        Raises:
            CategoriesError: there is a label with this name and parent.
        """
        return self._append(LabelCategory(name, parent or "", names_in(f"label {name!r}", attributes), id))

    def _append(self, item: LabelCategory) -> int:
        index = len(self.items)
        if self._by_parent.setdefault((item.name, item.parent), index) != index:
            below = f" below {item.parent!r}" if item.parent else ""
            raise CategoriesError(f"label {item.name!r}{below} is there twice; rename one of them")
        self._by_name.setdefault(item.name, index)
        self.items.append(item)
        return index

    def add_label_group(self, name: str, labels: Iterable[str], group_type: Any = "exclusive") -> int:
        """Add a group of labels, and return its index.

        Raises:
            CategoriesError: the group has no name, or its type is unknown.
        """
        self.label_groups.append(GroupOfLabels(name, list(labels), group_type))
        return len(self.label_groups) - 1

    def find(self, name: str, parent: str | None = None) -> tuple[int | None, LabelCategory | None]:
        """Index and label of this name, or None and None.

        Of several labels with this name it is the first, or the one with this parent.
        """
        index = self._by_name.get(name) if parent is None else self._by_parent.get((name, parent))
        return (None, None) if index is None else (index, self.items[index])

    def __getitem__(self, index: int) -> LabelCategory:
        return self.items[index]

    def __contains__(self, value: object) -> bool:
        """Whether there is a label of this name, or with this index."""
        if isinstance(value, str):
            return value in self._by_name
        return isinstance(value, int) and 0 <= value < len(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[LabelCategory]:
        return iter(self.items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelCategories):
            return NotImplemented
        return self.items == other.items and self.label_groups == other.label_groups

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LabelCategories({shown([item.name for item in self.items])})"

    def to_json(self) -> dict[str, Any]:
        labels = []
        for item in self.items:
            entry: dict[str, Any] = {
                "name": item.name,
                "parent": item.parent,
                "attributes": sorted(item.attributes),
            }
            if item.id is not None:
                entry["id"] = item.id
            labels.append({**entry, "extra": item.extra} if item.extra else entry)
        groups = [
            {"name": group.name, "labels": group.labels, "group_type": group.group_type}
            for group in self.label_groups
        ]
        return {"labels": labels, "label_groups": groups, "attributes": sorted(self.attributes)}

    @classmethod
    def from_json(cls, form: Any) -> Self:
        labels = entries(cls.kind, form, "labels")
        groups = form.get("label_groups") or []
        try:
            return cls(
                (LabelCategory(**label) for label in labels),
                (GroupOfLabels(**group) for group in groups),
                form.get("attributes"),
            )
        except TypeError as error:
            raise CategoriesError(f"labels have an invalid form: {error}") from error
