from ddfast._native.file import File
from ddfast._native.offsets import OffsetTable
from ddfast._native.xxh3 import ChecksumTable

Spec = tuple[str | None, str | OffsetTable, int, int, int, str | ChecksumTable | None]

class Shards:
    """The data files of one dataset, one after the other as if they were one. Safe to share between threads.

    Files are opened when they are read; the least recently used ones are closed. After a fork, the child must create
    new shards.

    Parameters:
        specs: for each shard: its data file (None if it is remote, as all of them are then); its offsets file or table
            (for a remote one, the table); the number of samples; size in bytes and modification time in ns of the data
            file, which identify it; and a file or table of checksums (as for the offsets) if its samples are to be
            verified, else None.
        max_open: approximate number of data files that stay open; 0 for a quarter of what the process may open.

    Raises:
        KernelError: there are too many shards, or they are too large (E_LIMIT).
        ValueError: only some shards are remote, or the offsets of a remote one are not a table.
    """

    def __init__(self, specs: list[Spec], max_open: int = 0) -> None: ...
    @staticmethod
    def one(file: File, offsets: OffsetTable, sums: ChecksumTable | None = None) -> Shards:
        """A dataset in one file: one shard, which is open already. With checksums, its samples are verified."""
    @property
    def open(self) -> int:
        """Data files that are kept open at the moment."""
