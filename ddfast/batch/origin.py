"""The origin of a batch: where its samples come from."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ddfast._native.decode import Decoder
from ddfast._native.status import E_FIELDS
from ddfast.errors import CorruptSampleError, DdfastError, KernelError, PickleRefusedError, TooManyFieldsError

__all__ = ["DetachedOrigin", "Origin"]


class Origin(Protocol):
    """The part of a dataset that its batches use. It must not refer to the batch."""

    @property
    def decoder(self) -> Decoder:
        """Decodes packed samples."""

    def keys_of(self, indices: NDArray[np.int64]) -> list[str]:
        """The keys of these samples."""

    def explain(self, error: KernelError | PickleRefusedError, index: int) -> Exception:
        """The error to raise if the sample at ``index`` of the dataset cannot be decoded."""


class DetachedOrigin:
    """The origin of an unpickled batch: the keys, without the dataset."""

    def __init__(self, keys: list[str] | None, indices: NDArray[np.int64], allow_pickle: bool) -> None:
        self._keys = keys
        self._indices = indices
        self._allow_pickle = allow_pickle
        self.decoder = Decoder(allow_pickle=allow_pickle)

    def __reduce__(self) -> tuple[Any, ...]:
        return DetachedOrigin, (self._keys, np.array(self._indices), self._allow_pickle)

    def keys_of(self, indices: NDArray[np.int64]) -> list[str]:
        if self._keys is None:
            raise DdfastError("this batch has no keys: the process that pickled it could not read them")
        keys = dict(zip(self._indices.tolist(), self._keys, strict=True))
        return [keys[index] for index in indices.tolist()]

    def explain(self, error: KernelError | PickleRefusedError, index: int) -> Exception:
        if isinstance(error, PickleRefusedError):
            return PickleRefusedError(f"sample {index}: {error}")
        if error.code == E_FIELDS:
            return TooManyFieldsError(error.reason)
        return CorruptSampleError(f"sample {index} is damaged at byte {error.pos}: {error.reason}")
