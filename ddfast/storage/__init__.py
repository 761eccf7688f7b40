"""Where the bytes of a dataset come from: files, object stores, web servers, and all file systems of fsspec."""

from ddfast._util.lazily import from_stub
from ddfast.storage.deprecated import with_old_names

# __init__.pyi says which name comes from where; each is imported at its first use.
_get, __dir__, __all__ = from_stub(__name__)
__getattr__ = with_old_names(__name__, _get)
