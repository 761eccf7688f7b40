from .anywhere import AnyStorage
from .attempts import Policy
from .base import Span, Stat, Storage
from .cache import CachedStorage
from .errand import CacheTraffic
from .front import Front
from .ledger import CacheUsage, cache_usage, clear_cache
from .local import LocalStorage
from .neighbours import Neighbours, open_neighbours
from .objects import ObjectStorage
from .opening import expand, is_pattern, open_storage
from .threads import ThreadedStorage
from .traffic import Traffic
from .uploading import Upload, open_upload
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
