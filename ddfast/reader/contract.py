"""The interface of readers that iteration, read-ahead and error handling rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ddfast.loading.on_error import ErrorPolicy, SamplePlace

# Importing numpy would take most of the time to the first sample.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from ddfast.batch import Batch
    from ddfast.loading.partial import PlacedOrigin

__all__ = ["PackedSource", "SampleForm", "SampleReader"]

# From this mean size on, samples in the page cache are read one by one, directly into their final memory, because
# copying them takes longer than a call.
LARGE_BYTES = 32 << 10


class SampleForm(NamedTuple):
    """The form in which samples are delivered: the parameters of `Reader.get`."""

    yield_key: bool = False
    raw: bool = False
    copy: bool = True


class PackedSource(NamedTuple):
    """The packed samples of a reader whose `Reader.batches` reads ahead.

    Parameters:
        origin: the dataset.
        mean_bytes: mean size of a sample.
        columns: names of the default columns of batches.
        is_ready: whether a sample can be read without waiting for storage.
        batches: packed batches of a given size of the samples at some indices; they raise the error of each sample
            that cannot be read.
    """

    origin: PlacedOrigin
    mean_bytes: float
    columns: Sequence[str] | None
    is_ready: Callable[[int], bool]
    batches: Callable[[int, NDArray[np.int64]], Iterator[Batch]]

    @property
    def is_large(self) -> bool:
        """Whether samples are so large that most of the time is spent copying them."""
        return self.mean_bytes >= LARGE_BYTES


class SampleReader(Protocol):
    """What these modules use of a `ddfast.reader.Reader`."""

    _policy: ErrorPolicy

    @property
    def _packed(self) -> PackedSource | None: ...

    def __len__(self) -> int: ...

    def find_key(self, index: int) -> str: ...

    def get(self, index: int, yield_key: bool = False, raw: bool = False, copy: bool = True) -> Any: ...

    def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch: ...

    def _place(self, index: int) -> SamplePlace: ...

    def _iter_impl(
        self, start: int, stop: int, yield_key: bool, raw: bool, copy: bool, chunk_size: int
    ) -> Iterator[Any]: ...
