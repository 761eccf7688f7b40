"""Messages that the errors of several kinds of datasets share."""

from __future__ import annotations

__all__ = ["RESTORE", "folder_given"]

RESTORE = "Restore the data file from a copy, or write the dataset again."


def folder_given(path: str) -> str:
    """The message for a folder in place of a data file."""
    pattern = path.rstrip("/") + "/*.msgpack"
    return f"{path} is a folder, not a data file. Read its datasets as ShardedReader({pattern!r})"
