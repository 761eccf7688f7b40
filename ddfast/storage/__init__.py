"""Where the bytes of a dataset come from: files, object stores, web servers, and the file systems of fsspec."""

from ddfast._util.lazily import from_stub
from ddfast._util.moved import moved_names

# __init__.pyi says which name comes from where; each is imported at its first use.
_names, __dir__, __all__ = from_stub(__name__)

__getattr__ = moved_names(
    __name__,
    {
        "CacheTraffic": "ddfast.storage.CacheCounters",
        "Front": "ddfast.storage.SequentialReader",
        "Neighbours": "ddfast.storage.ObjectGroup",
        "Policy": "ddfast.storage.RetryPolicy",
        "Traffic": "ddfast.storage.TransferCounters",
        "open_neighbours": "ddfast.storage.open_group",
    },
    _names,
)
