from ddfast._native.file import File
from ddfast._native.offsets import OffsetTable
from ddfast._native.xxh3 import ChecksumTable

Spec = tuple[str | None, str | OffsetTable, int, int, int, str | ChecksumTable | None]

class Shards:
    """The data files of one dataset, one after the other as if they were one. Safe to share between threads.

    Files are opened when they are read; those that were used least recently are closed. After a fork, the child makes
    shards of its own.

    Parameters:
        specs: for each shard its data file (None: it is remote, as are all of them), its offsets file or table (of a
            remote one the table), the number of samples, size in bytes and time of the last change in ns of the data
            file, by which it is known again, and a file or table of checksums (as the offsets) if its samples are to
            be verified.
        max_open: data files that stay open, about; 0 for a quarter of what the process may open.

    Raises:
        KernelError: they are too many or too large (E_LIMIT).
        ValueError: only some are remote, or the offsets of a remote one are no table.
    """

    def __init__(self, specs: list[Spec], max_open: int = 0) -> None: ...
    @staticmethod
    def one(file: File, offsets: OffsetTable, sums: ChecksumTable | None = None) -> Shards:
        """A plain dataset: one shard, which is open already. With checksums its samples are verified."""
    @property
    def open(self) -> int:
        """Data files that are kept open at the moment."""
