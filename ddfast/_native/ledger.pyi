from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

# What became of a sample: it was taken; it was, and somebody must look after the ledger now; it needs a closer look
# than the ledger has, and nothing was done.
TAKEN: int
ATTEND: int
REFUSED: int

class Encoder:
    """What a packer calls for objects that it does not know; counts them for the ledger.

    Parameters:
        encode: gives what is packed in the place of an object.
    """

    def __init__(self, encode: Callable[[Any], Any]) -> None: ...
    def __call__(self, obj: Any) -> Any: ...

class Ledger:
    """Keys and offsets of the samples of a writer, and those that are not in the file yet.

    It takes a sample in one call if its key is a new string of no subclass, and what was packed will surely be read
    back as it is. All else it refuses without saying why: that is for Python code to find out.

    Parameters:
        pack: packs a sample, calling `encoder` where it must.
        encoder: the packer's.
        piece_size: `attend` from so many waiting bytes on.

    Attributes:
        keys: of all samples, in order.
        offsets: of all samples, and the size of all; uint64.
        size: bytes of all samples.
        taken: bytes of those that were handed over.
        due: `attend` from this time of ``time.monotonic`` on; infinite for never.
        is_closed: whether all samples are refused.
    """

    due: float
    is_closed: bool

    def __init__(self, pack: Callable[[Any], bytes], encoder: Encoder, piece_size: int) -> None: ...
    @property
    def size(self) -> int: ...
    @property
    def taken(self) -> int: ...
    @property
    def keys(self) -> dict[str, None]: ...
    @property
    def offsets(self) -> array[int]: ...
    def take(self, sample: Any) -> int:
        """Take a dict with its ``"key"``. Returns TAKEN, ATTEND or REFUSED."""

    def take_keyed(self, key: Any, sample: Any) -> int:
        """Take any sample with a key. Returns TAKEN, ATTEND or REFUSED."""

    def take_packed(self, key: Any, data: Any) -> int:
        """Take a sample that is packed already. Returns TAKEN, ATTEND or REFUSED."""

    def add(self, key: str, packed: bytes) -> int:
        """Take a sample that was looked at closely. Returns TAKEN or ATTEND."""

    def add_many(self, keys: dict[str, None], data: Buffer, ends: NDArray[np.uint64]) -> None:
        """Take samples that were looked at, and are one after the other in `data`, the end of each in `ends`."""

    def restore(self, keys: dict[str, None], ends: NDArray[np.uint64]) -> None:
        """Know of samples that are in the file already. Parameters are those of `add_many`."""

    def hand_over(self) -> tuple[list[str], list[Buffer]]:
        """Keys and bytes of the samples since the last time; each buffer holds whole samples, most many of them.

        The memory of buffers is used again once nothing refers to them.
        """

    def attend(self) -> bool:
        """Whether somebody must look after the ledger: a piece is complete, or it is late."""
