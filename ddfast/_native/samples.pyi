from typing import Any

from ddfast._native.decode import Decoder
from ddfast._native.shards import Shards

class Samples:
    """Single samples and short runs of them, read directly from the files. Safe to share between threads.

    Samples are verified if the shards have checksums. All methods raise KernelError if a sample, the offset table or
    the file is damaged, and OSError if the file cannot be read.
    """

    shards: Shards
    decoder: Decoder

    def __init__(self, shards: Shards, decoder: Decoder) -> None: ...
    def get(self, index: int) -> Any:
        """One sample, decoded."""
    def raw(self, index: int) -> bytes:
        """One sample, packed."""
    def is_ready(self, index: int) -> bool:
        """Whether the page cache has the end of a sample, so that reading it will most likely not wait."""
    def fit(self, start: int, stop: int, size: int) -> int:
        """Where to end a run of samples that begins at `start`. To be called before the run is read.

        Returns:
            The largest end up to `stop` so that the run takes at most `size` bytes, but has at least one sample.
        """
    def decode_range(self, start: int, stop: int) -> list[Any]:
        """Samples ``[start, stop)``, decoded. Ends early before a damaged one, and raises only if that is the first."""
    def raw_range(self, start: int, stop: int, copy: bool = True) -> list[Any]:
        """Samples ``[start, stop)``, packed: bytes, or with ``copy=False`` views of one buffer.

        Ends early as `decode_range` does.
        """
