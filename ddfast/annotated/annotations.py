"""The base of all annotations, and those that have no shape in an image: labels, captions, spans, cuboids."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from ddfast.annotated.checks import (
    LABELS,
    WHOLE,
    coordinates,
    finite,
    integer,
    label_index,
    mapping,
    shown,
    text,
    time_text,
)
from ddfast.annotated.kinds import AnnotationType
from ddfast.errors import AnnotationError

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import Self, Unpack

__all__ = ["Annotation", "Caption", "Cuboid3d", "Details", "Label", "Span"]


class Details(TypedDict, total=False):
    """Where an annotation comes from: keyword arguments of all annotations. What is not known is None.

    Attributes:
        track: the object in several frames or items that it belongs to.
        frame: frame of a video, from 0.
        author: who made it.
        source: the file, tool or model that it comes from.
        status: what is known about it, such as ``"accepted"``.
        created: when it was made, as ISO 8601 text; a datetime is converted.
        score: how sure a model is.
        object_id: a second name of ``track``; -1 means None.
    """

    track: int | None
    frame: int | None
    author: str | None
    source: str | None
    status: str | None
    created: str | datetime | None
    score: float | None
    object_id: int


DETAILS = ("track", "frame", "author", "source", "status", "created", "score")
COMMON = ("id", "attributes", "group", *DETAILS)


class Annotation:
    """An annotation of an item.

    Two annotations are equal if they have the same type and all of their values are equal; nothing is rounded.
    Values are checked by the constructor. They may be changed later; `check` checks them again.

    Parameters:
        id: a number that need not be unique.
        attributes: names and values of any other properties. The dict is not copied.
        group: annotations of an item with the same number describe one object; 0 means none.
        details: `Details`.

    Raises:
        AnnotationError: a value makes no sense.
    """

    __slots__ = COMMON

    type: ClassVar[AnnotationType] = AnnotationType.unknown
    _own: ClassVar[tuple[str, ...]] = ()
    _values: ClassVar[Any] = attrgetter(*COMMON)

    id: int
    attributes: dict[str, Any]
    group: int
    track: int | None
    frame: int | None
    author: str | None
    source: str | None
    status: str | None
    created: str | None
    score: float | None

    def __init__(
        self,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        if id.__class__ is not int or not -WHOLE <= id < WHOLE:
            id = self._integer("id", id)
        if group.__class__ is not int or not -WHOLE <= group < WHOLE:
            group = self._integer("group", group)
        self.id = id
        if attributes.__class__ is not dict:
            attributes = {} if attributes is None else mapping(self._kind(), attributes)
        self.attributes = attributes
        self.group = group
        self.track = self.frame = self.author = self.source = self.status = self.created = self.score = None
        if details:
            self._set_details(details)

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._values = attrgetter(*cls._own, *COMMON)

    @classmethod
    def _kind(cls) -> str:
        return cls.__name__

    def _integer(self, field: str, value: Any) -> int:
        return 0 if value is None else integer(self._kind(), field, value)

    def _set_details(self, details: Details) -> None:
        kind = self._kind()
        for name, value in details.items():
            if name in ("author", "source", "status"):
                setattr(self, name, text(kind, name, value))
            elif name == "created":
                self.created = time_text(kind, value)
            elif name == "object_id":
                self.track = None if value == -1 else integer(kind, "object_id", value)
            elif name not in DETAILS:
                raise TypeError(f"{kind}() has no parameter {name!r}")
            elif value is None:
                continue
            elif name == "score":
                self.score = finite(kind, name, value)
            elif name == "track":
                self.track = integer(kind, name, value)
            else:
                self.frame = integer(kind, name, value, 0, LABELS)

    @property
    def object_id(self) -> int:
        """The track, -1 for none."""
        return -1 if self.track is None else self.track

    def as_dict(self) -> dict[str, Any]:
        """The arguments of the constructor that make an equal annotation; lists and dicts are copies."""
        names = (*self._own, *COMMON)
        return {
            name: value.copy() if isinstance(value, (dict, list)) else value
            for name, value in zip(names, self._values(self), strict=True)
        }

    def wrap(self, **changes: Any) -> Self:
        """A copy with other values of some arguments of the constructor."""
        return self.__class__(**{**self.as_dict(), **changes})

    def check(self) -> None:
        """Check all values again, for annotations that were changed after they were made.

        Raises:
            AnnotationError: a value makes no sense.
        """
        self.wrap()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._values(self) == self._values(other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = self.as_dict()
        parts = [
            f"{name}={shown(value)}"
            for name, value in values.items()
            if value is not None and value != {} and (name in self._own[:4] or name == "label" or value != 0)
        ]
        return f"{type(self).__name__}({', '.join(parts)})"


class Label(Annotation):
    """A label of the whole item.

    Parameters:
        label: index in the `LabelCategories`, from 0.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ("label",)
    type = AnnotationType.label
    _own = ("label",)

    label: int

    def __init__(
        self,
        label: int,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        Annotation.__init__(self, id, attributes, group, **details)
        self.label = integer(self._kind(), "label", label, 0, LABELS)


class Caption(Annotation):
    """A text about the whole item.

    Parameters:
        caption: the text; other values are converted by `str`.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ("caption",)
    type = AnnotationType.caption
    _own = ("caption",)

    caption: str

    def __init__(
        self,
        caption: str,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        Annotation.__init__(self, id, attributes, group, **details)
        if caption is None:
            raise AnnotationError(f"{self._kind()}.caption is None; it must be a text")
        self.caption = str(caption)


class Span(Annotation):
    """A labelled piece of a text.

    Parameters:
        start: position of its first character, from 0.
        end: position after its last character.
        label: index in the `LabelCategories`, or None.
        text: the characters themselves, if they are known.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ("end", "label", "start", "text")
    type = AnnotationType.span
    _own = ("start", "end", "label", "text")

    start: int
    end: int
    label: int | None
    text: str | None

    def __init__(
        self,
        start: int,
        end: int,
        label: int | None = None,
        text: str | None = None,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        Annotation.__init__(self, id, attributes, group, **details)
        kind = self._kind()
        self.start = integer(kind, "start", start, 0)
        self.end = integer(kind, "end", end, 0)
        self.label = label_index(kind, label)
        self.text = span_text(kind, text, self.start, self.end)


def span_text(kind: str, value: Any, start: int, end: int) -> str | None:
    """The text of a span, compared with its positions.

    Raises:
        AnnotationError: the span is empty, or the text has another length.
    """
    if end <= start:
        raise AnnotationError(
            f"{kind} [{start}, {end}) has no character; end is the position after the last one"
        )
    characters = text(kind, "text", value)
    if characters is not None and len(characters) != end - start:
        raise AnnotationError(
            f"{kind} [{start}, {end}) has {end - start} characters,"
            f" but its text {shown(characters)} has {len(characters)}"
        )
    return characters


class Cuboid3d(Annotation):
    """A box in space.

    Parameters:
        position: x, y, z of its centre.
        rotation: angles around the axes x, y and z; none by default.
        scale: its lengths along the axes; 1 by default.
        label: index in the `LabelCategories`, or None.
        z_order: which of two is in front: the one with the larger number.
        id, attributes, group, details: as of `Annotation`.
    """

    __slots__ = ("label", "position", "rotation", "scale", "z_order")
    type = AnnotationType.cuboid_3d
    _own = ("position", "rotation", "scale", "label", "z_order")

    position: list[float]
    rotation: list[float]
    scale: list[float]
    label: int | None
    z_order: int

    def __init__(
        self,
        position: list[float],
        rotation: list[float] | None = None,
        scale: list[float] | None = None,
        label: int | None = None,
        z_order: int = 0,
        id: int = 0,
        attributes: dict[str, Any] | None = None,
        group: int = 0,
        **details: Unpack[Details],
    ) -> None:
        Annotation.__init__(self, id, attributes, group, **details)
        self.position = self._triple("position", position)
        self.rotation = [0.0, 0.0, 0.0] if rotation is None else self._triple("rotation", rotation)
        self.scale = [1.0, 1.0, 1.0] if scale is None else self._triple("scale", scale)
        self.label = label_index(self._kind(), label)
        self.z_order = 0 if z_order is None else integer(self._kind(), "z_order", z_order, -LABELS, LABELS)

    @property
    def points(self) -> list[float]:
        """Position, rotation and scale: nine numbers."""
        return [*self.position, *self.rotation, *self.scale]

    def _triple(self, field: str, values: Any) -> list[float]:
        numbers = coordinates(self._kind(), field, values, 0, 1)
        if len(numbers) != 3:
            raise AnnotationError(
                f"{self._kind()}.{field} has {len(numbers)} numbers ({shown(numbers)}); it must have x, y and z"
            )
        return numbers
