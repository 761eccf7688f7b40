from .backends.files import AnyStorage, LocalStorage, ThreadedStorage
from .backends.objects import ObjectStorage
from .base import Span, Stat, Storage
from .cache.cached import CacheCounters, CachedStorage
from .cache.usage import CacheUsage, cache_usage, clear_cache
from .open import expand, open_storage
from .transfer.link import TransferCounters
from .transfer.retry import RetryPolicy
from .transfer.session import SequentialReader
from .upload.group import ObjectGroup, open_group
from .upload.uploads import Upload, open_upload
from .urls import is_pattern, is_url

__all__ = [
    "AnyStorage",
    "CacheCounters",
    "CacheUsage",
    "CachedStorage",
    "LocalStorage",
    "ObjectGroup",
    "ObjectStorage",
    "RetryPolicy",
    "SequentialReader",
    "Span",
    "Stat",
    "Storage",
    "ThreadedStorage",
    "TransferCounters",
    "Upload",
    "cache_usage",
    "clear_cache",
    "expand",
    "is_pattern",
    "is_url",
    "open_group",
    "open_storage",
    "open_upload",
]
