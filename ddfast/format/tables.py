"""Index files as readers use them: tables over files, which are read where they are used, or over memory.

This module does not import numpy, which would take most of a program's time to the first sample.
"""

from __future__ import annotations

from pathlib import Path

from ddfast._native.content import Content
from ddfast._native.keys import KeyTable
from ddfast._native.offsets import OffsetTable
from ddfast._native.xxh3 import ChecksumTable
from ddfast.errors import ChecksumsNotFoundError, KernelError
from ddfast.format.files import (
    SUFFIX_CHECKSUMS,
    SUFFIX_KEY_HASHES,
    SUFFIX_OFFSETS,
    damaged,
    path_append_suffix,
)

Source = Content | bytes | memoryview

ITEM_SIZE = 8  # of offsets, hashes and checksums
SALT_SIZE = 8

CUT_REMEDY = "Restore both from a copy. If the data file was truncated, `ddfast recover` saves the samples that remain."
HASHES_REMEDY = "Write it again from the keys with ddfast.index.write_key_hashes."
CHECKSUMS_REMEDY = "If the data file is intact, `ddfast index --checksums` writes it again."


def open_offsets(path: Path, data_size: int) -> OffsetTable:
    """Open the offsets file of a data file of `data_size` bytes. Only its first and its last part are read.

    Raises:
        ReadError: the file cannot be read.
        IndexFileError: the file is not an offset table, or belongs to another data file.
    """
    path = path_append_suffix(path, SUFFIX_OFFSETS)
    return offset_table(path, Content(path), data_size)


def offset_table(name: Path | str, content: Source, data_size: int) -> OffsetTable:
    """The same as `open_offsets`, from the content of the file; `name` is for messages."""
    check_offsets_size(name, len(content))
    table = OffsetTable(content, data_size)
    try:
        table.check_ends()
    except KernelError as error:
        if not error.item:
            raise damaged(name, len(content), f"{error.reason} (entry 0)") from None
        reason = f"{error.reason}, which has {data_size:,} bytes (entry {error.item:,})"
        raise damaged(name, len(content), reason, CUT_REMEDY) from None
    return table


def open_checksums(path: Path, count: int, content: Content | None = None) -> ChecksumTable:
    """Open the checksums file without reading it.

    Parameters:
        path: path to data or checksums file.
        count: number of samples in the dataset.
        content: the content of the file, if it is open already.

    Raises:
        ChecksumsNotFoundError: the file does not exist.
        IndexFileError: it has the wrong size.
    """
    path = path_append_suffix(path, SUFFIX_CHECKSUMS)
    try:
        content = Content(path) if content is None else content
    except FileNotFoundError:
        raise no_checksums(path) from None
    return checksum_table(path, content, count)


def checksum_table(name: Path | str, content: Source, count: int) -> ChecksumTable:
    """The same as `open_checksums`, from the content of the file; `name` is for messages."""
    check_checksums_size(name, len(content), count)
    return ChecksumTable(content)


def check_checksums_size(path: Path | str, size: int, count: int) -> None:
    """Check the size of a checksums file.

    Raises:
        IndexFileError: it is not the size for `count` samples.
    """
    if size != ITEM_SIZE * count:
        raise damaged(
            path, size, f"{count:,} samples have {ITEM_SIZE * count:,} bytes of checksums", CHECKSUMS_REMEDY
        )


def no_checksums(path: Path | str) -> ChecksumsNotFoundError:
    """The error for a missing checksums file."""
    return ChecksumsNotFoundError(
        f"{path} not found, so samples cannot be verified. `ddfast index --checksums` writes it from the data file; "
        "verify=None reads without it"
    )


def open_key_table(path: Path, count: int | None = None, content: Content | None = None) -> KeyTable:
    """Read the key hashes file and build the table over it.

    Parameters:
        path: path to data or key hashes file.
        count: number of samples in the dataset, if known.
        content: the content of the file, if it is open already.

    Raises:
        IndexFileError: the file is damaged, or has the hashes of another number of samples.
    """
    path = path_append_suffix(path, SUFFIX_KEY_HASHES)
    if content is None:
        content = Content(path)
    size = len(content)
    check_hashes_size(path, size)
    if count is not None and size != SALT_SIZE * (count + 1):
        held = size // SALT_SIZE - 1
        raise damaged(path, size, f"it has {held:,} hashes for {count:,} samples", HASHES_REMEDY)
    try:
        return KeyTable(content)
    except KernelError as error:
        raise damaged(path, size, f"{error.reason} (hash {error.item:,})", HASHES_REMEDY) from None


def check_offsets_size(path: Path | str, size: int) -> None:
    """Check that an offsets file consists of entries; errors as those of `open_offsets`."""
    if size == 0 or size % ITEM_SIZE:
        raise damaged(path, size, "an offset table has 8 bytes an entry and at least one entry")


def check_hashes_size(path: Path | str, size: int) -> None:
    """Check that a key hashes file consists of a salt and hashes; errors as those of `open_key_table`."""
    if size < SALT_SIZE or size % ITEM_SIZE:
        raise damaged(path, size, "a key hashes file has 8 bytes of salt and 8 a key", HASHES_REMEDY)
