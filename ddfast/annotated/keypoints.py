"""Names and connections of key points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import index
from typing import TYPE_CHECKING, Any

from ddfast.annotated.categories import Categories, entries, integer_from_0
from ddfast.annotated.checks import shown
from ddfast.errors import CategoriesError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["PointsCategories", "PointsCategory"]


@dataclass(slots=True)
class PointsCategory:
    """The key points of one label.

    Attributes:
        labels: names of the points, in order.
        joints: pairs of indices of points that are connected.
        positions: x and y in turn of each point in a typical arrangement; may be empty.
    """

    labels: list[str] = field(default_factory=list)
    joints: set[tuple[int, int]] = field(default_factory=set)
    positions: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.labels = list(self.labels or ())
        if not all(isinstance(label, str) for label in self.labels):
            raise CategoriesError(f"names of points are {shown(self.labels)}; they must be text")
        self.joints = pairs(self.joints or ())
        try:
            self.positions = [float(number) for number in self.positions or ()]
        except (TypeError, ValueError):
            raise CategoriesError(
                f"positions of points are {shown(self.positions)}; they must be numbers"
            ) from None
        if len(self.positions) % 2 or (self.labels and len(self.positions) not in (0, 2 * len(self.labels))):
            raise CategoriesError(
                f"there are {len(self.positions)} positions for {len(self.labels)} points; each has x and y"
            )


def pairs(joints: Any) -> set[tuple[int, int]]:
    """Pairs of indices of points.

    Raises:
        CategoriesError: they are something else.
    """
    try:
        return {(index(start), index(stop)) for start, stop in joints}
    except (TypeError, ValueError):
        raise CategoriesError(
            f"joints are {shown(joints)}; each must be a pair of indices of points"
        ) from None


class PointsCategories(Categories):
    """Key points by index of the label.

    Parameters:
        items: key points by index of the label.
        attributes: names of attributes that points may have; not compared.
    """

    kind = "key points"
    Category = PointsCategory

    def __init__(
        self, items: Mapping[int, PointsCategory] | None = None, attributes: Iterable[str] | None = None
    ) -> None:
        super().__init__(attributes)
        self.items: dict[int, PointsCategory] = dict(items or {})

    @classmethod
    def from_iterable(cls, iterable: Iterable[Iterable[Any]]) -> Self:
        """Key points from tuples ``(label, labels, joints, positions)``; the last two may be missing."""
        made = cls()
        for entry in iterable:
            made.add(*entry)
        return made

    def add(
        self,
        label_id: int,
        labels: Iterable[str] | None = None,
        joints: Iterable[Iterable[int]] | None = None,
        positions: Iterable[float] | None = None,
    ) -> None:
        """Set the key points of a label.

        Raises:
            CategoriesError: a value makes no sense.
        """
        self.items[integer_from_0("a label with key points", label_id)] = PointsCategory(
            list(labels or ()), pairs(joints or ()), list(positions or ())
        )

    def __getitem__(self, label_id: int) -> PointsCategory:
        return self.items[label_id]

    def __contains__(self, label_id: object) -> bool:
        return label_id in self.items

    def __len__(self) -> int:
        return len(self.items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PointsCategories):
            return NotImplemented
        return self.items == other.items

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PointsCategories({shown(self.items)})"

    def to_json(self) -> dict[str, Any]:
        items = [
            {
                "label": label,
                "labels": item.labels,
                "joints": sorted(map(list, item.joints)),
                "positions": item.positions,
            }
            for label, item in self.items.items()
        ]
        return {"items": items, "attributes": sorted(self.attributes)}

    @classmethod
    def from_json(cls, form: Any) -> Self:
        made = cls(attributes=form.get("attributes") if isinstance(form, Mapping) else None)
        for item in entries(cls.kind, form, "items"):
            if not isinstance(item, Mapping):
                raise CategoriesError(f"key points are {shown(item)}; each entry must be a map")
            made.add(item.get("label", -1), item.get("labels"), item.get("joints"), item.get("positions"))
        return made
