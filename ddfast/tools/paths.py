"""File names."""

from ddfast.format.files import path_append, path_append_suffix

__all__ = ["path_append", "path_append_suffix"]
