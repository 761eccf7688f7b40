"""The errors that ddfast raises. Each is a `DdfastError` and also the builtin exception that a caller would expect."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ddfast.errors.annotated import (
    AnnotationError,
    CategoriesError,
    ItemError,
    MediaError,
)
from ddfast.errors.base import (
    DdfastError,
    KernelError,
)
from ddfast.errors.dataset import (
    ChecksumError,
    ChecksumsNotFoundError,
    ClosedError,
    ColumnNameError,
    CorruptSampleError,
    CorruptSpanError,
    DatasetBusyError,
    DatasetChangedError,
    DatasetNotFoundError,
    EventLoopError,
    IndexFileError,
    PickleRefusedError,
    ReadError,
    SampleFileNotFoundError,
    SampleIndexError,
    SampleKeyError,
    SharedPositionError,
    TooManyFieldsError,
    UnevenBatchesError,
    UnfinishedDatasetError,
    UnsupportedIOError,
)
from ddfast.errors.formats import (
    CategoriesMismatchError,
    DatasetExistsError,
    FormatDetectionError,
    FormatError,
    FormatOptionError,
    ItemNotFoundError,
    LossyExportError,
    TableFileError,
    TaskError,
    UnknownFormatError,
)
from ddfast.errors.source import (
    BackgroundError,
    CallbackError,
    DownloadError,
    EncryptedMemberError,
    EscapingPathError,
    ImageError,
    JSONFormatError,
    MemberNotFoundError,
    MissingFieldError,
    MissingLabelError,
    MissingPackageError,
    MissingParameterError,
    TextFileError,
    TransformError,
    UnknownLabelError,
    UnsupportedCompressionError,
)
from ddfast.errors.storage import (
    DatasetReplacedError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
    StorageOptionError,
    StorageTimeoutError,
)
from ddfast.errors.writing import (
    DuplicateKeyError,
    InvalidSampleError,
    MissingKeyError,
    NoTerminalError,
    ResumeError,
    UnpackableSampleError,
)

if TYPE_CHECKING:
    from ddfast.errors.archive import CorruptArchiveError

__all__ = [
    "AnnotationError",
    "BackgroundError",
    "CallbackError",
    "CategoriesError",
    "CategoriesMismatchError",
    "ChecksumError",
    "ChecksumsNotFoundError",
    "ClosedError",
    "ColumnNameError",
    "CorruptArchiveError",
    "CorruptSampleError",
    "CorruptSpanError",
    "DatasetBusyError",
    "DatasetChangedError",
    "DatasetExistsError",
    "DatasetNotFoundError",
    "DatasetReplacedError",
    "DdfastError",
    "DownloadError",
    "DuplicateKeyError",
    "EncryptedMemberError",
    "EscapingPathError",
    "EventLoopError",
    "FormatDetectionError",
    "FormatError",
    "FormatOptionError",
    "ImageError",
    "IndexFileError",
    "InvalidSampleError",
    "ItemError",
    "ItemNotFoundError",
    "JSONFormatError",
    "KernelError",
    "LossyExportError",
    "MediaError",
    "MemberNotFoundError",
    "MissingFieldError",
    "MissingKeyError",
    "MissingLabelError",
    "MissingPackageError",
    "MissingParameterError",
    "NoTerminalError",
    "PickleRefusedError",
    "ReadError",
    "ResumeError",
    "SampleFileNotFoundError",
    "SampleIndexError",
    "SampleKeyError",
    "SharedPositionError",
    "StorageDeniedError",
    "StorageError",
    "StorageNotFoundError",
    "StorageOptionError",
    "StorageTimeoutError",
    "TableFileError",
    "TaskError",
    "TextFileError",
    "TooManyFieldsError",
    "TransformError",
    "UnevenBatchesError",
    "UnfinishedDatasetError",
    "UnknownFormatError",
    "UnknownLabelError",
    "UnpackableSampleError",
    "UnsupportedCompressionError",
    "UnsupportedIOError",
]


def __getattr__(name: str) -> Any:
    if name == "CorruptArchiveError":  # a subclass of zipfile's error: imported only when needed
        from ddfast.errors.archive import CorruptArchiveError

        return CorruptArchiveError
    if name == "NobodyAnswersError":
        warnings.warn(
            "ddfast.errors.NobodyAnswersError is deprecated, use NoTerminalError",
            DeprecationWarning,
            stacklevel=2,
        )
        return NoTerminalError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
