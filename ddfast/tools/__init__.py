"""Helpers with the names of datadings.tools."""

from ddfast._util.lazily import from_stub

# __init__.pyi lists the module of each name; a name is imported on first use.
__getattr__, __dir__, __all__ = from_stub(__name__)
