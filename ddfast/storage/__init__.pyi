from .anywhere import AnyStorage
from .base import Span, Stat, Storage
from .local import LocalStorage
from .neighbours import Neighbours, open_neighbours
from .objects import ObjectStorage
from .opening import expand, is_pattern, open_storage
from .threads import ThreadedStorage
from .uploading import Upload, open_upload
from .urls import is_url

__all__ = [
    "AnyStorage",
    "LocalStorage",
    "Neighbours",
    "ObjectStorage",
    "Span",
    "Stat",
    "Storage",
    "ThreadedStorage",
    "Upload",
    "expand",
    "is_pattern",
    "is_url",
    "open_neighbours",
    "open_storage",
    "open_upload",
]
