"""Samples of a reader as datasets for PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from torch.utils.data import Dataset as _Dataset

from ddfast.errors import CallbackError, MissingFieldError, UnevenBatchesError
from ddfast.torch.compose import Compose
from ddfast.torch.counted import CountedDataset
from ddfast.torch.epochs import Pass
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

    def _transformed(self, sample: Any) -> Any:
        try:
            return self.transform(sample)
        except StopIteration as error:  # would end a pass as if it were complete
            raise CallbackError("a transform raised StopIteration. Raise another exception") from error

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
        return self._transformed(self.reader.get(index))

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Several samples; the DataLoader requests the samples of a batch."""
        if not hasattr(self.reader, "get_many"):
            return [self[index] for index in indices]
        return [self._transformed(sample) for sample in self.reader.get_many(indices, columns=())]


class IterableDataset(DatasetBase, CountedDataset):
    """Samples in the reader's order; each worker of each rank delivers its part.

    The samples are divided into ``world_size * num_workers`` parts. In each epoch, every rank takes the next
    part, so that all ranks see all samples::

        dataset = IterableDataset(MsgpackReader("train.msgpack"), batch_size=256)
        loader = DataLoader(dataset, batch_size=256, num_workers=4)
        for epoch in range(3):
            for image, label in dict2tuple(loader):
                ...

    The dataset counts epochs: each pass over it, or over a DataLoader with any workers, is the next epoch. The count is
    shared with the workers. `set_epoch` changes it.

    The last batch of each worker may be smaller, so a DataLoader with workers may deliver more batches than its
    ``len``, which torch computes from the number of samples. If some ranks would deliver more batches than others,
    iteration raises `UnevenBatchesError`, because these ranks would wait for the others for ever.

    Parameters:
        reader: a reader, or an augment, of which each pass is an epoch. It stays open.
        transforms: see `DatasetBase`.
        rng: see `DatasetBase`.
        batch_size: batch size of the DataLoader; None to skip the check for equal numbers of batches.
        epoch: the first epoch, from 0.
        copy: whether samples are copies; False allows the reader to deliver views.
        chunk_size: number of samples that a reader reads at once; ignored for augments.
        group: process group whose ranks share the reader; None for the default one.
        drop_last: whether the DataLoader drops batches that are not full; used by the same check.

    Attributes:
        epoch: the next epoch.
        rank: rank of the process that made the dataset.
        world_size: number of ranks.

    Raises:
        UnevenBatchesError: from iteration: some ranks would deliver more batches than others; also a `RuntimeError`.
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
        *,
        drop_last: bool = False,
    ) -> None:
        DatasetBase.__init__(self, reader, transforms, rng)
        self.rank, self.world_size = this_rank(group)
        self.batch_size = batch_size
        self.copy = copy
        self.chunk_size = chunk_size
        self.drop_last = drop_last
        CountedDataset.__init__(self, epoch)

    def __len__(self) -> int:
        """Number of samples in the part of this process in the next epoch; without workers, of this rank."""
        start, stop = self._start_stop(self.epoch)
        return stop - start

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Make the next pass continue from a state.

        The position is the number of samples that each process has delivered of its part. A state is valid only for the
        same number of workers and ranks.

        Raises:
            ValueError: the position is negative.
        """
        if state["position"] < 0:
            raise ValueError(f"position is {state['position']}, and must be at least 0")
        super().load_state_dict(state)

    def _start_stop(self, epoch: int) -> tuple[int, int]:
        """The positions of an epoch that this worker delivers."""
        worker, workers = this_worker()
        part = (self.rank + epoch) * workers + worker
        return self._bounds(part % (self.world_size * workers), workers)

    def _bounds(self, part: int, workers: int) -> tuple[int, int]:
        size = len(self.reader) / (self.world_size * workers)
        return round(size * part), round(size * (part + 1))

    def _check(self, begun: Pass) -> None:
        if self.batch_size is None or self.world_size == 1:
            return
        workers = this_worker()[1]
        counts = [self._batches_of(rank, workers, begun.start) for rank in range(self.world_size)]
        if len(set(counts)) > 1:
            raise UnevenBatchesError(
                f"{len(self.reader):,} samples in batches of {self.batch_size}, for {self.world_size} ranks with "
                f"{workers} workers each: some ranks would have {max(counts)} batches, but others only {min(counts)}, "
                "for which they would wait for ever. Change num_workers, batch_size, or world_size"
            )

    def _batches_of(self, rank: int, workers: int, position: int) -> int:
        """Number of batches that the workers of a rank deliver from a position of their parts on."""
        bounds = (self._bounds(part, workers) for part in range(rank * workers, (rank + 1) * workers))
        sizes = (max(0, stop - start - position) for start, stop in bounds)
        batch_size = self.batch_size or 1
        partial = 0 if self.drop_last else batch_size - 1
        return sum((size + partial) // batch_size for size in sizes)

    def _items(self, begun: Pass) -> Iterator[tuple[int, Any]]:
        start, stop = self._start_stop(begun.epoch)
        samples = self._samples(min(start + begun.start, stop), stop, begun.epoch)
        return enumerate(map(self._transformed, samples), begun.start + 1)

    def _samples(self, start: int, stop: int, epoch: int) -> Iterator[Any]:
        if start == stop:
            return iter(())
        if hasattr(self.reader, "slice"):
            samples: Iterator[Any] = self.reader.iter(start, stop, copy=self.copy, chunk_size=self.chunk_size)
            return samples
        # An augment: positions continue from epoch to epoch.
        self.reader.seek(epoch * len(self.reader) + start)
        return islice(self.reader.iter(copy=self.copy), stop - start)


def _unchanged(sample: Any) -> Any:
    return sample


def _no_field(sample: Mapping[str, Any], name: str) -> str:
    known = ", ".join(repr(field) for field in sample if field != "__params__")
    return f"sample {sample.get('key')!r} has no field {name!r} for its transform. The fields are {known or 'none'}"
