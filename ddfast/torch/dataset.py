"""Samples of a reader as datasets for PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from torch.utils.data import Dataset as _Dataset
from torch.utils.data import IterableDataset as _IterableDataset

from ddfast.errors import MissingFieldError, UnevenBatchesError
from ddfast.torch.compose import Compose
from ddfast.torch.place import this_rank, this_worker

Transforms = Mapping[str, Callable[[Any, Any], Any]] | Callable[[Any], Any]
Rng = Callable[[Any], Mapping[str, Any]]


def no_rng(_: Any) -> dict[str, Any]:
    """Return no parameters, for any sample."""
    return {}


def dict2tuple(
    it: Iterable[Mapping[str, Any]], keys: Sequence[str] = ("image", "label")
) -> Iterator[tuple[Any, ...]]:
    """Tuples of the values of these keys, for each sample or batch."""
    for sample in it:
        yield tuple(sample[key] for key in keys)


class DatasetBase:
    """Base of both datasets: a reader, and transforms of its samples.

    Parameters:
        reader: source of the samples; for `IterableDataset`, a reader or an augment.
        transforms: changes of each sample. Either a dict from field to a function
            ``f(value, params)``, such as a `Compose`, or a function of the whole sample, ``f(sample)``.
        rng: ``rng(sample)`` returns a dict with the parameters of one sample, for transforms in a dict; the sample
            then has them as ``"__params__"``.
    """

    def __init__(self, reader: Any, transforms: Transforms | None = None, rng: Rng | None = None) -> None:
        self.reader = reader
        self._rng = rng or no_rng
        self._transforms = transforms
        self.transform: Callable[[Any], Any] = _unchanged
        if isinstance(transforms, Mapping):
            self.transform = self._transform
        elif transforms is not None:
            self.transform = transforms

    def __len__(self) -> int:
        return len(self.reader)

    def _transform(self, sample: dict[str, Any]) -> dict[str, Any]:
        params = self._rng(sample)
        sample["__params__"] = params
        for name, function in self._transforms.items():  # type: ignore[union-attr]
            if name not in sample:
                raise MissingFieldError(_no_field(sample, name))
            try:
                sample[name] = function(sample[name], params)
            except Exception as error:
                if hasattr(error, "add_note"):  # from Python 3.11 on
                    error.add_note(
                        f"The error occurred in the transform of {name!r} of sample {sample.get('key')!r}."
                    )
                    if isinstance(error, TypeError) and not isinstance(function, Compose):
                        error.add_note(
                            "It was called with two arguments, value and parameters. Compose(f) calls f(value)."
                        )
                raise
        return sample


class Dataset(DatasetBase, _Dataset):
    """Samples by index, for a DataLoader, which may shuffle them.

    The samples of a batch are read together if the reader has ``get_many``. `IterableDataset` and `BatchDataset`
    are faster::

        transforms = {"image": Compose(CompressedToPIL(), ToTensor())}
        dataset = Dataset(MsgpackReader("train.msgpack"), transforms=transforms)
        for image, label in dict2tuple(DataLoader(dataset, batch_size=256, shuffle=True)):
            ...

    Parameters:
        reader: source of the samples.
        transforms: see `DatasetBase`.
        rng: see `DatasetBase`.

    Raises:
        MissingFieldError: a sample lacks the field of a transform; also a `KeyError`.
    """

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.reader.get(index))

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Several samples; the DataLoader requests the samples of a batch."""
        if not hasattr(self.reader, "get_many"):
            return [self[index] for index in indices]
        return list(map(self.transform, self.reader.get_many(indices, columns=())))


class IterableDataset(DatasetBase, _IterableDataset):
    """Samples in the reader's order; each worker of each rank delivers its part.

    The samples are divided into ``world_size * num_workers`` parts. In each epoch, every rank takes the next
    part, so that all ranks see all samples::

        dataset = IterableDataset(MsgpackReader("train.msgpack"), batch_size=256)
        loader = DataLoader(dataset, batch_size=256, num_workers=4, persistent_workers=True)
        for epoch in range(3):
            for image, label in dict2tuple(loader):
                ...

    The dataset of each worker counts epochs: each iteration is one epoch. Without ``persistent_workers=True``, each
    pass has new workers, which start at `epoch` again; set ``dataset.epoch`` before each pass in this case.

    The last batch of a worker may be smaller. If it would be empty for some workers and not for others, iteration
    raises `UnevenBatchesError`, because ranks with more batches would wait for the other ranks for ever.

    Parameters:
        reader: a reader, or an augment, of which each pass is an epoch. It stays open.
        transforms: see `DatasetBase`.
        rng: see `DatasetBase`.
        batch_size: batch size of the DataLoader; None to skip the check for empty last batches.
        epoch: the first epoch, from 0.
        copy: whether samples are copies; False allows the reader to deliver views.
        chunk_size: number of samples that a reader reads at once; ignored for augments.
        group: process group whose ranks share the reader; None for the default one.

    Attributes:
        epoch: the next epoch.
        rank: rank of the process that made the dataset.
        world_size: number of ranks.
    """

    def __init__(
        self,
        reader: Any,
        transforms: Transforms | None = None,
        rng: Rng | None = None,
        batch_size: int | None = None,
        epoch: int = 0,
        copy: bool = True,
        chunk_size: int = 16,
        group: Any = None,
    ) -> None:
        super().__init__(reader, transforms, rng)
        self.rank, self.world_size = this_rank(group)
        self.batch_size = batch_size
        self.epoch = epoch
        self.copy = copy
        self.chunk_size = chunk_size

    def __len__(self) -> int:
        """Number of samples that this process delivers in the next epoch."""
        start, stop = self._start_stop()
        return stop - start

    def __iter__(self) -> Iterator[Any]:
        """One epoch of this process.

        Raises:
            UnevenBatchesError: the last batch would be empty for some workers; also a `RuntimeError`.
        """
        self._require_even_batches()
        samples = self._samples(*self._start_stop())
        self.epoch += 1
        yield from map(self.transform, samples)

    def _start_stop(self) -> tuple[int, int]:
        """The positions of the epoch that this worker delivers."""
        worker, workers = this_worker()
        parts = self.world_size * workers
        part = ((self.rank + self.epoch) * workers + worker) % parts
        size = len(self.reader) / parts
        return round(size * part), round(size * (part + 1))

    def _require_even_batches(self) -> None:
        if self.batch_size is None:
            return
        n, parts = len(self.reader), self.world_size * this_worker()[1]
        left = n % (parts * self.batch_size)
        if 0 < left < parts:
            raise UnevenBatchesError(
                f"{n:,} samples in {parts} parts: {left} samples remain after the batches of {self.batch_size}, fewer "
                "than one for each part, so the last batch of some workers would be empty. Change num_workers, "
                "batch_size, or world_size"
            )

    def _samples(self, start: int, stop: int) -> Iterator[Any]:
        if start == stop:
            return iter(())
        if hasattr(self.reader, "slice"):
            samples: Iterator[Any] = self.reader.iter(start, stop, copy=self.copy, chunk_size=self.chunk_size)
            return samples
        # An augment: positions continue from epoch to epoch.
        self.reader.seek(self.epoch * len(self.reader) + start)
        return islice(self.reader.iter(copy=self.copy), stop - start)


def _unchanged(sample: Any) -> Any:
    return sample


def _no_field(sample: Mapping[str, Any], name: str) -> str:
    known = ", ".join(repr(field) for field in sample if field != "__params__")
    return f"sample {sample.get('key')!r} has no field {name!r} for its transform. The fields are {known or 'none'}"
