"""Where the bytes of a dataset come from: files, object stores, web servers, and whatever fsspec knows."""

import lazy_loader

# __init__.pyi says which name comes from where; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
