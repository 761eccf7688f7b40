"""Read and write the index files of a dataset.

Every function takes the path of the data file or of the index file: a suffix is appended to a path that ends with
another one. Functions that load raise `IndexFileError` for a damaged file and `FileNotFoundError` for a missing one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from struct import Struct

import msgpack  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import ArrayLike, NDArray
from simplebloom import BloomFilter  # type: ignore[import-untyped]

from ddfast._native.content import Content
from ddfast._native.keys import KeyTable, PackedStrings, bloom_add, hash_key
from ddfast._native.keys import hash_keys as bulk_hashes
from ddfast._native.offsets import OffsetTable
from ddfast._native.status import E_COLLISION
from ddfast.errors import KernelError
from ddfast.format.files import (
    SUFFIX_CHECKSUMS,
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    damaged,
    open_file,
    path_append_suffix,
)
from ddfast.format.keys import Keys
from ddfast.format.tables import (
    CHECKSUMS_REMEDY,
    SALT_SIZE,
    check_checksums_size,
    check_hashes_size,
    check_offsets_size,
    no_checksums,
    open_checksums,
    open_key_table,
    open_offsets,
)

__all__ = [
    "SUFFIX_CHECKSUMS",
    "SUFFIX_FILTER",
    "SUFFIX_KEYS",
    "SUFFIX_KEY_HASHES",
    "SUFFIX_LEGACY_INDEX",
    "SUFFIX_OFFSETS",
    "build_key_table",
    "check_checksums_size",
    "hash_keys",
    "keys_len",
    "legacy_index_len",
    "legacy_load_index",
    "load_checksums",
    "load_filter",
    "load_key_hashes",
    "load_keys",
    "load_offsets",
    "no_checksums",
    "open_checksums",
    "open_key_table",
    "open_offsets",
    "salt_and_hashes",
    "write_checksums",
    "write_filter",
    "write_key_hashes",
    "write_keys",
    "write_offsets",
]

BIG_ENDIAN = np.dtype(">u8")

# A simplebloom file: magic, bytes of the whole file, capacity, false positive probability, bits.
FILTER_MAGIC = b"SIMPBLOO"
FILTER_HEADER = Struct(">8sQQd")
LN_2 = 0.6931471805599453  # to as many digits as simplebloom has

FILTER_REMEDY = "Write it again from the keys with ddfast.index.write_filter."


# -- loaded --


def keys_len(path: Path) -> int:
    """Number of keys, from the first bytes of the keys file."""
    return len(Keys(path))


def load_keys(path: Path) -> Sequence[str]:
    """All keys, as a list. `ddfast.format.keys.Keys` is a sequence of them that reads as few as possible."""
    return Keys(path)[:]


def load_key_hashes(path: Path) -> tuple[bytes, NDArray[np.uint64]]:
    """Salt (8 bytes) and hashes (uint64, one a key) of the key hashes file."""
    path = path_append_suffix(path, SUFFIX_KEY_HASHES)
    return salt_and_hashes(path, memoryview(Content(path)))


def salt_and_hashes(name: Path | str, content: bytes | memoryview) -> tuple[bytes, NDArray[np.uint64]]:
    """The same as `load_key_hashes`, from the content of the file; `name` is for messages."""
    check_hashes_size(name, len(content))
    return bytes(content[:SALT_SIZE]), np.frombuffer(content, BIG_ENDIAN, offset=SALT_SIZE).astype(np.uint64)


def load_filter(path: Path) -> BloomFilter:
    """The Bloom filter of all keys."""
    path = path_append_suffix(path, SUFFIX_FILTER)
    with open_file(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        _check_filter_header(path, size, file.read(FILTER_HEADER.size))
        file.seek(0)
        try:
            return BloomFilter.load(file)
        except ValueError as error:
            raise damaged(path, size, str(error), FILTER_REMEDY) from None


def load_offsets(path: Path) -> NDArray[np.uint64]:
    """Offsets of the samples in the data file; uint64, one more than samples.

    The first is 0 and the last the size of the data file.
    """
    path = path_append_suffix(path, SUFFIX_OFFSETS)
    content = memoryview(Content(path))
    check_offsets_size(path, len(content))
    offsets = np.frombuffer(content, BIG_ENDIAN)
    _check_order(path, len(content), offsets, int(offsets[-1]))
    return offsets.astype(np.uint64)


def load_checksums(path: Path) -> NDArray[np.uint64]:
    """XXH3-64 of all samples; uint64, one a sample."""
    path = path_append_suffix(path, SUFFIX_CHECKSUMS)
    content = memoryview(Content(path))
    if len(content) % BIG_ENDIAN.itemsize:
        raise damaged(path, len(content), "a checksums file has 8 bytes a sample", CHECKSUMS_REMEDY)
    return np.frombuffer(content, BIG_ENDIAN).astype(np.uint64)


def legacy_index_len(path: Path) -> int:
    """Number of samples, from the first bytes of the legacy index file."""
    return len(_open_legacy(path_append_suffix(path, SUFFIX_LEGACY_INDEX)))


def legacy_load_index(path: Path, data_size: int | None = None) -> tuple[list[str], list[int]]:
    """Keys and offsets of the legacy index file, as `load_keys` and `load_offsets` return them.

    The last offset is the size of the data file, which must exist, unless `data_size` is given.
    """
    path = path_append_suffix(path, SUFFIX_LEGACY_INDEX)
    data_size = path.with_suffix("").stat().st_size if data_size is None else data_size
    strings = _open_legacy(path)
    size = path.stat().st_size
    try:
        values = strings.scan()
    except KernelError as error:
        reason = f"{error.reason} (entry {error.item:,}, byte {error.pos:,})"
        raise damaged(path, size, reason) from None
    offsets = np.append(values, np.uint64(data_size))
    _check_order(path, size, offsets.astype(BIG_ENDIAN), data_size)
    return strings.get_range(0, len(strings)), offsets.tolist()


# -- written --


def write_offsets(offsets: Sequence[int], path: Path) -> Path:
    """Write offsets as `load_offsets` returns them. Returns the path written to."""
    return _write(path_append_suffix(path, SUFFIX_OFFSETS), pack_offsets(offsets))


def write_checksums(checksums: ArrayLike, path: Path) -> Path:
    """Write checksums as `load_checksums` returns them. Returns the path written to."""
    return _write(path_append_suffix(path, SUFFIX_CHECKSUMS), pack_checksums(checksums))


def write_keys(keys: Sequence[str], path: Path) -> Path:
    """Write keys. Returns the path written to.

    Raises:
        TypeError: a key is not a string.
    """
    return _write(path_append_suffix(path, SUFFIX_KEYS), pack_keys(keys))


def hash_keys(keys: Sequence[str], max_tries: int = 1000) -> tuple[bytes, NDArray[np.uint64]]:
    """Hash keys with a salt that gives no collisions.

    Salts are the first 8 bytes of the BLAKE2s digests of ``"0"``, ``"1"``, ...; the first one without
    collisions is used. A hash is the first 8 bytes of a key's salted digest, read as a big-endian integer.

    Parameters:
        keys: the keys.
        max_tries: number of salts to try.

    Returns:
        Salt, and hashes as big-endian uint64, shape ``(len(keys),)``.

    Raises:
        RuntimeError: every salt had a collision; two equal keys collide with any salt.
    """
    table, content = _salted_table(keys, max_tries)
    return table.salt, content[1:]


def write_key_hashes(keys: Sequence[str], path: Path) -> Path:
    """Hash keys as `hash_keys` does and write salt and hashes. Returns the path written to."""
    return _write(path_append_suffix(path, SUFFIX_KEY_HASHES), pack_key_hashes(keys))


def write_filter(keys: Sequence[str], path: Path) -> Path:
    """Write a Bloom filter of the keys. Returns the path written to."""
    return _write(path_append_suffix(path, SUFFIX_FILTER), pack_filter(keys))


def build_key_table(keys: Sequence[str]) -> KeyTable:
    """The same table as `open_key_table`, from the keys: for a dataset without a key hashes file."""
    return _salted_table(keys, 1000)[0]


# -- the content of each file --


def pack_offsets(offsets: ArrayLike) -> bytes:
    """The content of an offsets file."""
    return np.array(offsets, dtype=BIG_ENDIAN).tobytes()


def pack_checksums(checksums: ArrayLike) -> bytes:
    """The content of a checksums file."""
    return np.asarray(checksums, np.uint64).astype(BIG_ENDIAN).tobytes()


def pack_keys(keys: Sequence[str]) -> bytes:
    """The content of a keys file; errors as those of `write_keys`."""
    keys = list(keys)
    if set(map(type, keys)) - {str}:
        for i, key in enumerate(keys):
            if not isinstance(key, str):
                raise TypeError(f"key {i} is {key!r}, not a string")
    content: bytes = msgpack.packb(keys)
    return content


def pack_key_hashes(keys: Sequence[str]) -> bytes:
    """The content of a key hashes file; errors as those of `hash_keys`."""
    return _salted_table(keys, 1000)[1].tobytes()


def pack_filter(keys: Sequence[str]) -> bytearray:
    """The content of a filter file."""
    count = max(2, len(keys))
    content: bytearray = BloomFilter(count).dumps()
    bits = memoryview(content)[FILTER_HEADER.size :]
    bloom_add(bits, round(8 * len(bits) / count * LN_2), list(keys))
    return content


# -- helpers --


def _write(path: Path, content: bytes | bytearray) -> Path:
    # The content is complete before the file is opened, so that a bad argument does not damage an existing file.
    path.write_bytes(content)
    return path


def _salted_table(keys: Sequence[str], max_tries: int) -> tuple[KeyTable, NDArray[np.uint64]]:
    """A key table, and the content of its key hashes file; big-endian uint64."""
    for number in range(max_tries):
        content = np.empty(len(keys) + 1, BIG_ENDIAN)
        content[0] = hash_key(str(number))
        salt = content[:1].tobytes()
        content[1:] = keys.hashes(salt) if isinstance(keys, Keys) else bulk_hashes(list(keys), salt)
        try:
            return KeyTable(content), content
        except KernelError as error:
            if error.code != E_COLLISION:
                raise
            _refuse_equal_keys(keys, content[1:], error.item)
    raise RuntimeError(f"no salt among {max_tries} gives hashes without collisions. Increase max_tries")


def _refuse_equal_keys(keys: Sequence[str], hashes: NDArray[np.uint64], second: int) -> None:
    first = int(np.flatnonzero(hashes == hashes[second])[0])
    if keys[first] == keys[second]:
        raise RuntimeError(
            f"keys {first} and {second} are both {keys[first]!r}; equal keys collide with any salt"
        )


def _check_order(path: Path, size: int, offsets: NDArray[np.uint64], data_size: int) -> None:
    try:
        OffsetTable(offsets, data_size).validate()
    except KernelError as error:
        raise damaged(path, size, f"{error.reason} (entry {error.item:,})") from None


def _check_filter_header(path: Path, size: int, header: bytes) -> None:
    """Check the header before simplebloom allocates as much memory as it asks for."""
    reason = None
    if len(header) < FILTER_HEADER.size:
        reason = "it is shorter than the header of a filter"
    else:
        magic, announced, _, _ = FILTER_HEADER.unpack(header)
        if magic != FILTER_MAGIC:
            reason = "it is not a simplebloom filter"
        elif announced != size:
            reason = f"its header gives its size as {announced:,} bytes"
    if reason is not None:
        raise damaged(path, size, reason, FILTER_REMEDY)


def _open_legacy(path: Path) -> PackedStrings:
    content = Content(path)
    try:
        return PackedStrings(content, pairs=True)
    except KernelError as error:
        raise damaged(path, len(content), error.reason) from None
