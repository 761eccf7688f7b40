"""Where the bytes of a dataset come from: files, object stores, web servers, and whatever fsspec knows."""

from ddfast._util.lazily import from_stub

# __init__.pyi says which name comes from where; each is imported when it is first used.
__getattr__, __dir__, __all__ = from_stub(__name__)
