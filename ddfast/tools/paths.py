"""Names of files."""

from ddfast.files import path_append, path_append_suffix

__all__ = ["path_append", "path_append_suffix"]
