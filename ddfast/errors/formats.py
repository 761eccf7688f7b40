"""Errors of formats of annotated datasets: recognition, import and export."""

from __future__ import annotations

from ddfast.errors.base import DdfastError

__all__ = [
    "CategoriesMismatchError",
    "DatasetExistsError",
    "FormatDetectionError",
    "FormatError",
    "FormatOptionError",
    "ItemNotFoundError",
    "LossyExportError",
    "TableFileError",
    "TaskError",
    "UnknownFormatError",
]


class FormatError(DdfastError, ValueError):
    """A file of an annotated dataset is not what its format requires."""


class UnknownFormatError(DdfastError, KeyError):
    """No format has this name, or the format cannot do what is asked."""


class FormatDetectionError(DdfastError, ValueError):
    """No format recognises a folder, or several do."""


class FormatOptionError(DdfastError, TypeError):
    """A format has no option of this name, or the option does not accept the value."""


class LossyExportError(DdfastError, ValueError):
    """The target format cannot hold all annotations, and the export is strict. Nothing was written."""


class DatasetExistsError(DdfastError, FileExistsError):
    """The target of an export exists, and may not be overwritten."""


class TableFileError(DdfastError, ValueError):
    """The ``.table`` or ``.meta`` file of a dataset is damaged, or belongs to another dataset."""


class ItemNotFoundError(DdfastError, KeyError):
    """A dataset has no item or subset of this name."""


class CategoriesMismatchError(DdfastError, ValueError):
    """The categories of two datasets differ, so that their annotations cannot be put together by number."""


class TaskError(DdfastError, ValueError):
    """A training task is unknown, or samples lack what it needs."""
