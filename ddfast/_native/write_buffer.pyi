from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

# Results of adding a sample: it was added; it was added, and the buffer must be flushed now; it was not added, because
# it needs a closer check than the buffer makes.
ADDED: int
FLUSH_DUE: int
REFUSED: int

class Encoder:
    """Encodes the objects that a packer does not know, and counts them for the buffer.

    Parameters:
        encode: returns what is packed in place of an object.
    """

    def __init__(self, encode: Callable[[Any], Any]) -> None: ...
    def __call__(self, obj: Any) -> Any: ...

class WriteBuffer:
    """Keys and offsets of all samples of a writer, and the packed samples that are not in the file yet.

    A sample is added in one call if its key is a new ``str`` (not of a subclass), and the packed sample is certain to
    be read back unchanged. All other samples are refused without a reason, which the caller has to determine.

    Parameters:
        pack: packs a sample; calls `encoder` for objects that it does not know.
        encoder: the encoder of `pack`.
        piece_size: number of waiting bytes from which on `is_flush_due` is true.

    Attributes:
        keys: of all samples, in order.
        offsets: of all samples, and the size of all; uint64.
        size: bytes of all samples.
        drained: bytes of the samples that `drain` has returned.
        due: time of ``time.monotonic`` from which on `is_flush_due` is true; infinite for never.
        is_closed: whether all samples are refused.
    """

    due: float
    is_closed: bool

    def __init__(self, pack: Callable[[Any], bytes], encoder: Encoder, piece_size: int) -> None: ...
    @property
    def size(self) -> int: ...
    @property
    def drained(self) -> int: ...
    @property
    def keys(self) -> dict[str, None]: ...
    @property
    def offsets(self) -> array[int]: ...
    def add_sample(self, sample: Any) -> int:
        """Add a dict with its ``"key"``. Returns ADDED, FLUSH_DUE or REFUSED."""

    def add_keyed(self, key: Any, sample: Any) -> int:
        """Add any sample with a key. Returns ADDED, FLUSH_DUE or REFUSED."""

    def add_packed(self, key: Any, data: Any) -> int:
        """Add a sample that is packed already. Returns ADDED, FLUSH_DUE or REFUSED."""

    def add_checked(self, key: str, packed: bytes) -> int:
        """Add a sample that the caller has checked. Returns ADDED or FLUSH_DUE."""

    def add_many(self, keys: dict[str, None], data: Buffer, ends: NDArray[np.uint64]) -> None:
        """Add samples that the caller has checked: they are consecutive in `data`, and `ends` has the end of each."""

    def restore(self, keys: dict[str, None], ends: NDArray[np.uint64]) -> None:
        """Add keys and offsets of samples that are in the file already. Parameters as in `add_many`."""

    def drain(self) -> tuple[list[str], list[Buffer]]:
        """Remove and return the waiting samples: their keys, and buffers that each hold whole samples.

        The memory of a buffer is reused once nothing refers to it.
        """

    def is_flush_due(self) -> bool:
        """Whether the waiting samples are to be written: there are `piece_size` bytes, or the time `due` has passed."""
