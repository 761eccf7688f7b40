"""Masks of all objects of an image in one array."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ddfast.annotated.segments import Mask
from ddfast.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from typing_extensions import Self

__all__ = ["CompiledMask"]

IndexMask: TypeAlias = "np.ndarray[Any, Any]"
Source: TypeAlias = "IndexMask | Callable[[], IndexMask] | None"


class CompiledMask:
    """For each pixel the label and the number of the object that is in front there; 0 is background.

    Parameters:
        class_mask: labels, of shape (height, width), or a function that returns them.
        instance_mask: numbers of objects, of the same shape, or a function that returns them.
    """

    def __init__(self, class_mask: Source = None, instance_mask: Source = None) -> None:
        self._class_mask = class_mask
        self._instance_mask = instance_mask

    @classmethod
    def from_instance_masks(
        cls,
        instance_masks: Iterable[Mask],
        instance_ids: Iterable[int | None] | None = None,
        instance_labels: Iterable[int | None] | None = None,
        dtype: DTypeLike | None = None,
    ) -> Self:
        """The masks on top of one another, those with the larger z order in front; of equal ones, the later.

        A mask with label 0 is background: it covers what is behind it, and is no object. If 0 is the label of objects,
        pass labels that count from 1.

        Parameters:
            instance_masks: of one size.
            instance_ids: the number of each mask; by default, or for None, its position in the order from back to
                front, from 1.
            instance_labels: the label of each mask; by default, or for None, its own, and 0 if it has none.
            dtype: of both arrays; the smallest unsigned integers by default.

        Raises:
            AnnotationError: there is no mask, sizes differ, or there are more or fewer ids or labels.
        """
        layers = list(instance_masks)
        ids = padded("ids", instance_ids, len(layers))
        labels = padded("labels", instance_labels, len(layers))
        if not layers:
            raise AnnotationError("there are no masks to compile, so the size of the image is unknown")
        order = sorted(range(len(layers)), key=lambda at: layers[at].z_order)
        id_of, label_of = [0], [0]
        index: IndexMask | None = None
        for place, at in enumerate(order, 1):
            image, label = layers[at].image, labels[at] if labels[at] is not None else layers[at].label
            if index is None:
                index = np.zeros(image.shape, np.min_scalar_type(len(layers)))
            if image.shape != index.shape:
                raise AnnotationError(
                    f"masks of the sizes {index.shape} and {image.shape} cannot be compiled"
                )
            chosen = ids[at]
            id_of.append(0 if label == 0 else place if chosen is None else chosen)
            label_of.append(label or 0)
            index[image] = place
        return cls(spread(label_of, index, dtype), spread(id_of, index, dtype))

    @property
    def class_mask(self) -> IndexMask | None:
        """The label at each pixel; None if it is unknown."""
        return self._class_mask() if callable(self._class_mask) else self._class_mask

    @property
    def instance_mask(self) -> IndexMask | None:
        """The number of the object at each pixel; None if it is unknown."""
        return self._instance_mask() if callable(self._instance_mask) else self._instance_mask

    @property
    def instance_count(self) -> int:
        """How many objects there are.

        Raises:
            AnnotationError: the objects are unknown.
        """
        return int(np.count_nonzero(np.unique(self._instances())))

    def get_instance_labels(self) -> dict[int, int]:
        """The label of each object; of several labels of one object, that of the most pixels.

        Raises:
            AnnotationError: labels or objects are unknown, or differ in size.
        """
        instances, labels = self._instances(), self.class_mask
        if labels is None or labels.shape != instances.shape:
            size = None if labels is None else labels.shape
            raise AnnotationError(
                f"a CompiledMask has objects of the size {instances.shape}, and labels of {size}"
            )
        pairs = np.stack([instances.ravel(), labels.ravel()]).astype(np.int64)
        found, counts = np.unique(pairs, axis=1, return_counts=True)
        order = np.argsort(counts, kind="stable")
        by_instance = {int(instance): int(label) for instance, label in found[:, order].T if instance}
        return dict(sorted(by_instance.items()))

    def extract(self, instance_id: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """The pixels of one object, bool.

        Raises:
            AnnotationError: the objects are unknown.
        """
        return np.asarray(self._instances() == instance_id)

    def lazy_extract(self, instance_id: int) -> Callable[[], np.ndarray[Any, np.dtype[np.bool_]]]:
        """A function that returns what `extract` does, for `Mask`."""
        return partial(self.extract, instance_id)

    def _instances(self) -> IndexMask:
        instances = self.instance_mask
        if instances is None:
            raise AnnotationError("a CompiledMask has no instance_mask, so its objects are unknown")
        return instances


def padded(name: str, values: Iterable[int | None] | None, count: int) -> list[int | None]:
    """One value for each mask.

    Raises:
        AnnotationError: there are more or fewer.
    """
    listed: list[int | None] = list(values or ()) or [None] * count
    if len(listed) != count:
        raise AnnotationError(f"there are {len(listed)} {name} for {count} masks")
    return listed


def spread(numbers: list[int], index: IndexMask | None, dtype: DTypeLike | None) -> IndexMask:
    """The number of each place at its pixels."""
    table = np.array(numbers, np.min_scalar_type(max(numbers)) if dtype is None else dtype)
    return np.asarray(table[index])
