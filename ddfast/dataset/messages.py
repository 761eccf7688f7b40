"""Messages that the errors of several kinds of datasets share."""

from __future__ import annotations

from ddfast.errors import KernelError, TooManyFieldsError

__all__ = ["RESTORE", "folder_given", "too_many_fields"]

RESTORE = "Restore the data file from a copy, or write the dataset again."


def folder_given(path: str) -> str:
    """The message for a folder in place of a data file."""
    pattern = path.rstrip("/") + "/*.msgpack"
    return f"{path} is a folder, not a data file. Read its datasets as ShardedReader({pattern!r})"


def too_many_fields(sample: str, error: KernelError) -> TooManyFieldsError:
    """The error for a batch with too many fields; `sample` names the sample that exceeds the limit."""
    return TooManyFieldsError(f"{sample}: {error.reason}. Choose columns=[...], or use smaller batches")
