"""Recovery of unfinished and damaged datasets."""

from ddfast._util.lazily import from_stub

# __init__.pyi lists where each name is defined; a name is imported when it is first used.
__getattr__, __dir__, __all__ = from_stub(__name__)
