"""Options of remote datasets, which are read from URLs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ddfast.storage.transfer.retry import RetryPolicy

__all__ = ["CACHE_BYTES", "PREFETCH_BYTES", "READ_TIMEOUT", "RemoteOptions"]

PREFETCH_BYTES = 256 << 20
READ_TIMEOUT = 120.0
CACHE_BYTES = 64 << 30


class RemoteOptions(NamedTuple):
    """How remote datasets are read. Datasets in files ignore these options.

    Attributes:
        storage_options: arguments of `ddfast.storage.open_storage` besides the URL.
        cache: folder in which blocks that were read are cached; None for no cache.
        cache_bytes: disk space for the cache.
        retry: retry policy of reads; None for the default policy with `timeout` as the limit of a read, retries
            included.
        prefetch_bytes, queue_depth, timeout: as those of readers; without `queue_depth`, measurements decide it.
    """

    storage_options: Mapping[str, Any] | None = None
    cache: str | os.PathLike[str] | None = None
    cache_bytes: int = CACHE_BYTES
    retry: RetryPolicy | None = None
    prefetch_bytes: int = PREFETCH_BYTES
    queue_depth: int | None = None
    timeout: float = READ_TIMEOUT

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # without secrets in `storage_options`
