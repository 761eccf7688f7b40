"""One entry of a dataset: a media file and its annotations."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from ddfast.annotated.annotations import Annotation
from ddfast.annotated.checks import shown
from ddfast.annotated.image import Image, MediaElement, as_image
from ddfast.annotated.media import PointCloud
from ddfast.errors import ItemError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DEFAULT_SUBSET", "DatasetItem", "relative_name"]

DEFAULT_SUBSET = "default"
MediaT = TypeVar("MediaT", bound=MediaElement)


def relative_name(field: str, value: Any) -> str:
    r"""A name that is a path within the folder of a dataset: ``\`` becomes ``/``, empty parts and ``.`` are left out.

    Parameters:
        field: what the name is, for messages.
        value: the name, or anything that `str` makes a name of.

    Raises:
        ItemError: the name is empty, absolute, or leads out of the folder.
    """
    name = str(value)
    if is_usual(name):
        return name
    slashed = name.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    # Windows ignores spaces and dots at the end of a name.
    if slashed.startswith("/") or re.match("[A-Za-z]:", slashed) or any(is_parent(part) for part in parts):
        raise ItemError(
            f"the {field} of an item is {shown(value)}; it must stay in the folder of its dataset"
        )
    if not parts or "\0" in name:
        raise ItemError(f"the {field} of an item is {shown(value)}; it must be a name")
    return "/".join(parts)


def is_usual(name: str) -> bool:
    """Whether a name needs no further checks; faster than a regular expression."""
    return (
        name[:1] not in "./"  # as an empty name is
        and name[1:2] != ":"
        and name[-1:] != "/"
        and "/." not in name
        and "//" not in name
        and "\\" not in name
        and "\0" not in name
    )


def is_parent(part: str) -> bool:
    """Whether a part of a path means the folder above."""
    return part.startswith("..") and not part.rstrip(". ")


class DatasetItem:
    """An entry of a dataset: an image, video, point cloud or text, and its annotations.

    Two items are equal if all of their values are. The lists and dicts that are given are not copied.

    Parameters:
        id: its path within the dataset without the extension, ``/`` as separator; unique in its subset.
        annotations: its annotations, in order.
        subset: such as ``"train"``; ``"default"`` by default.
        path: names of the groups that it is in.
        image: path, pixels, bytes, function or `Image`.
        point_cloud: path of a point cloud.
        related_images: images of the same scene as the point cloud.
        attributes: names and values of other properties.
        status: such as ``"annotated"``; tells an item without annotations from one that nobody has looked at.
        media: any `MediaElement`, or the path of an image; instead of `image` and `point_cloud`.
        pcd: a second name of `point_cloud`.

    Raises:
        ItemError: the id or subset is no path within a folder, or the media contradict each other.
        MediaError: `image` or `related_images` cannot be an image.
    """

    __slots__ = ("_id", "_subset", "annotations", "attributes", "media", "path", "status")

    annotations: list[Annotation]
    attributes: dict[str, Any]
    media: MediaElement | None
    path: list[str]
    status: str | None

    def __init__(
        self,
        id: Any,
        annotations: list[Annotation] | None = None,
        subset: str | None = None,
        path: list[str] | None = None,
        image: Any = None,
        point_cloud: str | os.PathLike[str] | None = None,
        related_images: Iterable[Any] | None = None,
        attributes: dict[str, Any] | None = None,
        status: str | None = None,
        *,
        media: MediaElement | str | os.PathLike[str] | None = None,
        pcd: str | os.PathLike[str] | None = None,
    ) -> None:
        self.id = id
        self.subset = subset
        self.annotations = annotation_list(self._id, annotations)
        self.path = path if isinstance(path, list) else list(path or ())
        if image is not None or point_cloud is not None or pcd is not None or related_images:
            media = one_medium(
                self._id, media, image, pcd if point_cloud is None else point_cloud, related_images
            )
        if media is not None and not isinstance(media, MediaElement):
            if not isinstance(media, (str, os.PathLike)):
                raise ItemError(
                    f"item {self._id!r} has media {shown(media)}; it must be a MediaElement or a path"
                )
            media = as_image(media)
        self.media = media
        if attributes is not None and not isinstance(attributes, dict):
            raise ItemError(f"attributes of item {self._id!r} are {shown(attributes)}; they must be a dict")
        self.attributes = {} if attributes is None else attributes
        if status is not None and not isinstance(status, str):
            raise ItemError(f"the status of item {self._id!r} is {shown(status)}; it must be a string")
        self.status = status

    @property
    def id(self) -> str:
        """Its path within the dataset, without the extension."""
        return self._id

    @id.setter
    def id(self, value: Any) -> None:
        self._id = relative_name("id", value)

    @property
    def subset(self) -> str:
        """The part of the dataset that it is in."""
        return self._subset

    @subset.setter
    def subset(self, value: str | None) -> None:
        self._subset = relative_name("subset", value) if value else DEFAULT_SUBSET

    @property
    def has_image(self) -> bool:
        """Whether its media is an image."""
        return isinstance(self.media, Image)

    @property
    def image(self) -> Image | None:
        """Its image, or None."""
        return self.media if isinstance(self.media, Image) else None

    @property
    def has_point_cloud(self) -> bool:
        """Whether its media is a point cloud."""
        return isinstance(self.media, PointCloud)

    @property
    def point_cloud(self) -> str | None:
        """Path of its point cloud, or None."""
        return self.media.path if isinstance(self.media, PointCloud) else None

    @property
    def related_images(self) -> list[Image]:
        """Images of the same scene as its point cloud."""
        return self.media.extra_images if isinstance(self.media, PointCloud) else []

    def media_as(self, kind: type[MediaT]) -> MediaT:
        """Its media, which must be of this kind.

        Raises:
            ItemError: it is of another kind.
        """
        if not isinstance(self.media, kind):
            raise ItemError(f"item {self._id!r} has {shown(self.media)}, which is no {kind.__name__}")
        return self.media

    def wrap(self, **changes: Any) -> Self:
        """A copy with other values of some arguments of the constructor. Annotations and media are not copied."""
        values: dict[str, Any] = {
            "id": self._id,
            "annotations": self.annotations.copy(),
            "subset": self._subset,
            "path": self.path.copy(),
            "attributes": self.attributes.copy(),
            "status": self.status,
        }
        if changes.keys() & {"point_cloud", "pcd"} and "related_images" not in changes:
            values["related_images"] = self.related_images
        if "related_images" in changes and not changes.keys() & {"point_cloud", "pcd", "media"}:
            values["point_cloud"] = self.point_cloud
        elif not changes.keys() & {"image", "point_cloud", "pcd"}:
            values["media"] = self.media
        return self.__class__(**{**values, **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DatasetItem):
            return NotImplemented
        return (
            self._id == other._id
            and self._subset == other._subset
            and self.annotations == other.annotations
            and self.attributes == other.attributes
            and self.status == other.status
            and self.path == other.path
            and self.media == other.media
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        media = "" if self.media is None else f", media={self.media!r}"
        return f"DatasetItem(id={self._id!r}, subset={self._subset!r}, {len(self.annotations)} annotations{media})"


def annotation_list(item: str, values: Any) -> list[Annotation]:
    """Annotations as a list; a list is not copied.

    Raises:
        ItemError: one is no annotation.
    """
    listed: list[Annotation] = [] if values is None else values if isinstance(values, list) else list(values)
    for value in listed:
        if not isinstance(value, Annotation):
            raise ItemError(f"item {item!r} has the annotation {shown(value)}; it must be an Annotation")
    return listed


def one_medium(item: str, media: Any, image: Any, point_cloud: Any, related_images: Any) -> MediaElement:
    """The media that several arguments describe.

    Raises:
        ItemError: they contradict each other.
    """
    given = [
        name
        for name, value in (("media", media), ("image", image), ("point_cloud", point_cloud))
        if value is not None
    ]
    if len(given) > 1:
        raise ItemError(f"item {item!r} has {' and '.join(given)}; give one of them")
    if related_images and point_cloud is None:
        raise ItemError(f"item {item!r} has related images, but no point cloud")
    return as_image(image) if point_cloud is None else PointCloud(point_cloud, related_images)
