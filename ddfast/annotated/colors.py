"""Colours of labels in images of masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ddfast.annotated.categories import Categories, entries, integer_from_0
from ddfast.annotated.checks import shown
from ddfast.errors import CategoriesError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MaskCategories", "RgbColor"]

RgbColor: TypeAlias = tuple[int, int, int]


class MaskCategories(Categories):
    """Colours of labels in images of masks.

    Parameters:
        colormap: red, green and blue, from 0 to 255, by index of the label.
        attributes: names of attributes that masks may have; not compared.

    Raises:
        CategoriesError: an index or a colour makes no sense.
    """

    kind = "colours"

    def __init__(
        self,
        colormap: Mapping[int, Iterable[int]] | None = None,
        attributes: Iterable[str] | None = None,
    ) -> None:
        super().__init__(attributes)
        self.colormap: dict[int, RgbColor] = {
            integer_from_0("a colour", index): rgb(index, color) for index, color in (colormap or {}).items()
        }

    @classmethod
    def generate(cls, size: int = 255, include_background: bool = True) -> Self:
        """The colours of PASCAL VOC.

        Parameters:
            size: number of colours.
            include_background: whether index 0 is black; else index 0 has the colour that comes after black.
        """
        first = 0 if include_background else 1
        return cls({index: voc_color(index + first) for index in range(size)})

    @property
    def inverse_colormap(self) -> dict[RgbColor, int]:
        """Index by colour; the first index of a colour that several have."""
        inverse: dict[RgbColor, int] = {}
        for index, color in self.colormap.items():
            inverse.setdefault(color, index)
        return inverse

    def __getitem__(self, index: int) -> RgbColor:
        return self.colormap[index]

    def __contains__(self, index: object) -> bool:
        return index in self.colormap

    def __len__(self) -> int:
        return len(self.colormap)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MaskCategories):
            return NotImplemented
        return self.colormap == other.colormap

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"MaskCategories({shown(self.colormap)})"

    def to_json(self) -> dict[str, Any]:
        colors = [[index, *color] for index, color in self.colormap.items()]
        return {"colormap": colors, "attributes": sorted(self.attributes)}

    @classmethod
    def from_json(cls, form: Any) -> Self:
        colors = entries(cls.kind, form, "colormap")
        if not all(isinstance(color, list) and len(color) == 4 for color in colors):
            raise CategoriesError(
                f"colours are {shown(colors)}; each must be a list of index, red, green and blue"
            )
        return cls(
            {integer_from_0("a colour", color[0]): color[1:] for color in colors},
            attributes=form.get("attributes"),
        )


def rgb(index: int, color: Any) -> RgbColor:
    """A colour as a tuple.

    Raises:
        CategoriesError: it has other than three integers from 0 to 255.
    """
    try:
        red, green, blue = color
        if all(hasattr(value, "__index__") and 0 <= value <= 255 for value in (red, green, blue)):
            return int(red), int(green), int(blue)
    except (TypeError, ValueError):
        pass
    raise CategoriesError(
        f"the colour of label {index} is {shown(color)}; it must be red, green and blue from 0 to 255"
    )


def voc_color(index: int) -> RgbColor:
    """Colour `index` of PASCAL VOC: the bits of the index, in turn, from the highest bits of red, green and blue."""
    color = [0, 0, 0]
    for bit in range(7, -1, -1):
        for channel in range(3):
            color[channel] |= (index >> channel & 1) << bit
        index >>= 3
    return color[0], color[1], color[2]
