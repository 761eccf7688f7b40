from .backends.anywhere import AnyStorage
from .backends.local import LocalStorage
from .backends.objects import ObjectStorage
from .backends.threaded import ThreadedStorage
from .base import Span, Stat, Storage
from .cache.cached import CachedStorage
from .cache.reads import CacheTraffic
from .cache.usage import CacheUsage, cache_usage, clear_cache
from .open import expand, is_pattern, open_storage
from .transfer.counters import Traffic
from .transfer.retry import Policy
from .transfer.sequential import Front
from .upload.group import Neighbours, open_neighbours
from .upload.uploads import Upload, open_upload
from .urls import is_url

__all__ = [
    "AnyStorage",
    "CacheTraffic",
    "CacheUsage",
    "CachedStorage",
    "Front",
    "LocalStorage",
    "Neighbours",
    "ObjectStorage",
    "Policy",
    "Span",
    "Stat",
    "Storage",
    "ThreadedStorage",
    "Traffic",
    "Upload",
    "cache_usage",
    "clear_cache",
    "expand",
    "is_pattern",
    "is_url",
    "open_neighbours",
    "open_storage",
    "open_upload",
]
