"""What training wants from annotated samples: boxes and labels, masks, keypoints, captions.

The layout is that of torchvision's detection models: one dict a sample, with arrays of all its annotations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.target_masks import index_map, instance_masks, keypoints, sample_size
from ddfast.errors import TaskError

Target = dict[str, Any]
Annotations = Mapping[str, Any]

SHAPES = frozenset({AnnotationType.bbox.value, AnnotationType.polygon.value, AnnotationType.mask.value})


class Targets(Sequence[Target]):
    """The targets of the samples of a batch: a list of dicts that are views of arrays of the whole batch.

    Parameters:
        arrays: of all annotations, one after the other.
        starts: first annotation of each sample, and their number; int64, shape ``(samples + 1,)``.

    Attributes:
        arrays, starts: the same.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], starts: npt.NDArray[np.int64]) -> None:
        self.arrays = arrays
        self.starts = starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        start, stop = self.starts[number], self.starts[number + 1]
        return {name: values[start:stop] for name, values in self.arrays.items()}

    def __iter__(self) -> Iterator[Target]:
        names, arrays = list(self.arrays), list(self.arrays.values())
        stops = self.starts[1:].tolist()
        for start, stop in zip([0, *stops], stops, strict=False):
            yield {name: values[start:stop] for name, values in zip(names, arrays, strict=True)}

    def to_torch(self) -> list[Target]:
        """The targets with tensors in the place of arrays, which share their memory."""
        import torch

        tensors = {name: torch.from_numpy(values) for name, values in self.arrays.items()}
        return [
            {name: values[start:stop] for name, values in tensors.items()}
            for start, stop in zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True)
        ]


def sample_targets(sample: Mapping[str, Any], task: str) -> Any:
    """The target of one sample for a task; see `batch_targets`."""
    return batch_targets([sample], task)[0]


def batch_targets(samples: Sequence[Mapping[str, Any]], task: str) -> Any:
    """The targets of samples for a task.

    ==================  ===========================================================================================
    task                target of a sample
    ==================  ===========================================================================================
    ``classification``  ``labels``: of its label annotations, or its ``label``; int64, shape ``(n,)``
    ``detection``       ``boxes``: x1, y1, x2, y2; float32, shape ``(n, 4)``. ``labels``: int64, -1 for none.
                        ``iscrowd``: uint8. ``area``: float32
    ``instance``        the same, and ``masks``: uint8, shape ``(n, height, width)``
    ``semantic``        ``mask``: label of each pixel by ``z_order``, 255 where there is none; uint8, or int32 and -1
                        if there are more than 255 labels
    ``keypoints``       as ``detection`` of annotations that are points, and ``keypoints``: x, y, visibility; float32,
                        shape ``(n, points, 3)``
    ``caption``         ``captions``: list of str
    ==================  ===========================================================================================

    Parameters:
        samples: as a reader of an annotated dataset yields them, or a batch.
        task: one of the above.

    Raises:
        TaskError: there is no such task, or a sample has no annotations or lacks the size that a mask needs.
    """
    if task not in TASKS:
        raise TaskError(f"There is no task {task!r}; there are {', '.join(map(repr, TASKS))}")
    return TASKS[task](samples)


def annotations_of(samples: Any) -> Sequence[Annotations]:
    """The field ``annotations`` of each sample of a list or batch."""
    from ddfast.batch import Batch

    try:
        if isinstance(samples, Batch):
            found: Sequence[Annotations] = samples["annotations"]  # decodes only this field
            return found
        return [sample["annotations"] for sample in samples]
    except KeyError as error:
        raise TaskError(
            "The samples have no field 'annotations'. Convert the dataset with `ddfast convert`"
        ) from error


def joined(
    maps: Sequence[Annotations],
    counts: Sequence[int],
    name: str,
    missing: Any,
    kind: Any,
    shape: tuple[int, ...] = (),
) -> npt.NDArray[Any]:
    """A field of all annotations, one after the other; ``missing`` stands for samples without the field."""
    parts = [
        found if (found := one.get(name)) is not None else np.full((count, *shape), missing, kind)
        for one, count in zip(maps, counts, strict=True)
    ]
    return np.concatenate(parts) if parts else np.empty((0, *shape), kind)


def _detection(samples: Any) -> Targets:
    maps = annotations_of(samples)
    counts = [len(one["type"]) for one in maps]
    arrays = _boxes(maps, counts)
    keep = arrays.pop("keep")
    starts = np.zeros(len(maps) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    if not keep.all():
        starts = np.concatenate([[0], np.cumsum(keep)])[starts]
        arrays = {name: values[keep] for name, values in arrays.items()}
    return Targets(arrays, starts)


def _boxes(maps: Sequence[Annotations], counts: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
    types = joined(maps, counts, "type", 0, np.uint8)
    box = joined(maps, counts, "box", np.nan, np.float64, (4,))
    boxes = box.astype(np.float32)
    boxes[:, 2:] = box[:, :2] + box[:, 2:]
    return {
        "boxes": boxes,
        "labels": joined(maps, counts, "label", -1, np.int32).astype(np.int64),
        "iscrowd": (joined(maps, counts, "crowd", 0, np.uint8) == 1).astype(np.uint8),
        "area": joined(maps, counts, "area", np.nan, np.float64).astype(np.float32),
        "keep": _IS_SHAPE[types] & ~np.isnan(box[:, 0]),
    }


_IS_SHAPE = np.isin(np.arange(256), list(SHAPES))


def _classification(samples: Any) -> list[Target]:
    found = []
    for sample, one in zip(samples, annotations_of(samples), strict=True):
        types = np.asarray(one.get("type", ()), np.uint8)
        if "label" in sample:
            labels = np.array([sample["label"]], np.int64)
        else:
            labels = np.asarray(one.get("label", np.empty(0)), np.int64)[types == AnnotationType.label.value]
        found.append({"labels": labels})
    return found


def _captions(samples: Any) -> list[Target]:
    return [
        {
            "captions": [
                text
                for kind, text in zip(one["type"].tolist(), one["text"], strict=True)
                if kind == AnnotationType.caption.value
            ]
            if "text" in one
            else []
        }
        for one in annotations_of(samples)
    ]


def _instances(samples: Any) -> list[Target]:
    found = []
    for sample, target, one in zip(samples, _detection(samples), annotations_of(samples), strict=True):
        rows = np.flatnonzero(_is_object(one))
        masks = instance_masks(one, sample_size(sample, one), rows) if len(rows) else None
        found.append({**target, "masks": np.empty((0, 0, 0), np.uint8) if masks is None else masks})
    return found


def _semantic(samples: Any) -> list[Target]:
    return [
        {"mask": index_map(one, sample_size(sample, one))}
        for sample, one in zip(samples, annotations_of(samples), strict=True)
    ]


def _keypoints(samples: Any) -> list[Target]:
    """Targets of annotations with points; the box of the shape in the same group stands for that of the points."""
    found = []
    for one in annotations_of(samples):
        types = np.asarray(one["type"])
        rows = np.flatnonzero((types == AnnotationType.points) | (types == AnnotationType.skeleton))
        maps = [one]
        arrays = _boxes(maps, [len(types)])
        target = {name: arrays[name][rows] for name in ("boxes", "labels", "iscrowd", "area")}
        found.append({**target, "keypoints": keypoints(one, rows)})
    return found


def _is_object(one: Annotations) -> npt.NDArray[np.bool_]:
    """Annotations that are objects with a box, as `_detection` has them."""
    types = np.asarray(one["type"], np.uint8)
    box = one.get("box", np.full((len(types), 4), np.nan))
    return np.asarray(_IS_SHAPE[types] & ~np.isnan(box[:, 0]))


TASKS: dict[str, Callable[[Any], Any]] = {
    "classification": _classification,
    "detection": _detection,
    "instance": _instances,
    "semantic": _semantic,
    "keypoints": _keypoints,
    "caption": _captions,
}
