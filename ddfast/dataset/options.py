"""How datasets under URLs are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ddfast.storage.transfer.retry import RetryPolicy as Attempts

__all__ = ["CACHE_BYTES", "PREFETCH_BYTES", "READ_TIMEOUT", "RemoteOptions"]

PREFETCH_BYTES = 256 << 20
READ_TIMEOUT = 120.0
CACHE_BYTES = 64 << 30


class RemoteOptions(NamedTuple):
    """How datasets under URLs are read; those in files have no use for it.

    Attributes:
        storage_options: what `ddfast.storage.open_storage` takes besides the URL.
        cache: folder for blocks of what was read; None for no such cache.
        cache_bytes: what it may take of the disk.
        attempts: how patient reads are; None to make `timeout` the time of a read, all attempts included.
        prefetch_bytes, queue_depth, timeout: as those of readers; no `queue_depth` leaves it to what is measured.
    """

    storage_options: Mapping[str, Any] | None = None
    cache: str | os.PathLike[str] | None = None
    cache_bytes: int = CACHE_BYTES
    attempts: Attempts | None = None
    prefetch_bytes: int = PREFETCH_BYTES
    queue_depth: int | None = None
    timeout: float = READ_TIMEOUT
