"""Build or rebuild the index of a dataset from its data file.

The command reads the data file once from start to end, and checks samples without decoding them.
Each sample must be a map with a unique string under "key". The result equals the files of the
writers byte for byte: train.msgpack.offsets, .keys, .key_hashes, .filter, .md5 and .xxh3 (the
checksum of each sample). The new files replace existing ones when they are complete; the command
asks first, unless -y is given. --checksums writes only the .xxh3 file, for a dataset with an index.
If an MD5 file shows that the data file is damaged, nothing is written.

Example:
  ddfast index -y train.msgpack
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddfast.commands import _run
from ddfast.commands._files import (
    SUFFIX_MD5,
    byte_bar,
    confirm_overwrite,
    datasets,
    listed_digests,
    without_index_files,
)
from ddfast.errors import CorruptSampleError, IndexFileError
from ddfast.index import (
    SUFFIX_CHECKSUMS,
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    legacy_load_index,
    load_offsets,
)
from ddfast.scan import scan_checksums, scan_index
from ddfast.tools import hash_md5hex, path_append
from ddfast.writer import write_index, write_sums
from ddfast.writer.digest import Digest

REPLACED = (SUFFIX_OFFSETS, SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER, SUFFIX_MD5)


def index(path: str | os.PathLike[str]) -> int:
    """Write the index of a data file.

    Parameters:
        path: the data file.

    Returns:
        The number of samples.

    Raises:
        CorruptSampleError: a sample is damaged, or the MD5 file has another digest of the data file.
        IndexFileError: the MD5 file is damaged.
        InvalidSampleError: a sample has no key, or (`DuplicateKeyError`) the key of another sample.
    """
    path = Path(path)
    with _reading(path, "index") as (take, digest):
        keys, offsets, sums = scan_index(path, take)
        digests = [(path.name, digest.hexdigest())]
    _compare(path, digests[0][1])
    legacy = path_append(path, SUFFIX_LEGACY_INDEX)
    if legacy.exists():
        digests.append((legacy.name, hash_md5hex(legacy)))
    write_index(path, keys, offsets, digests, sums=sums)
    return len(keys)


def index_checksums(path: str | os.PathLike[str]) -> int:
    """Write the checksums of all samples of a data file that has an index.

    Parameters:
        path: the data file.

    Returns:
        The number of samples.

    Raises:
        CorruptSampleError: the MD5 file has another digest of the data file.
        FileNotFoundError: the data file or the index is missing.
        IndexFileError: the offsets are damaged or belong to another data file.
    """
    path = Path(path)
    offsets = _offsets(path)
    with _reading(path, "checksums of") as (take, digest):
        sums = scan_checksums(path, offsets, take)
        found = digest.hexdigest()
    _compare(path, found)
    write_sums(path, sums)
    return len(sums)


@contextlib.contextmanager
def _reading(path: Path, what: str) -> Iterator[tuple[Callable[[memoryview], None], Digest]]:
    """A function to call with all bytes of a data file, and their digest; with a progress bar."""
    digest = Digest()
    try:
        with byte_bar(f"{what} {path.name}", path.stat().st_size) as bar:

            def take(data: memoryview) -> None:
                digest.update([data])
                bar.update(len(data))

            yield take, digest
    finally:
        digest.close()


def _offsets(path: Path) -> NDArray[np.uint64]:
    legacy = path_append(path, SUFFIX_LEGACY_INDEX)
    if legacy.exists() and not path_append(path, SUFFIX_OFFSETS).exists():
        return np.array(legacy_load_index(path)[1], np.uint64)
    offsets = load_offsets(path)
    if int(offsets[-1]) != path.stat().st_size:
        raise IndexFileError(
            f"{path_append(path, SUFFIX_OFFSETS)} belongs to another data file: {path.name} has "
            f"{path.stat().st_size:,} bytes, not {int(offsets[-1]):,}. Run `ddfast verify` to find the damage"
        )
    return offsets


def _compare(path: Path, digest: str) -> None:
    """Refuse to replace the MD5 file of a data file that has changed."""
    expected = (listed_digests(path) or {}).get("", digest)
    if digest != expected:
        md5 = path_append(path, SUFFIX_MD5)
        raise CorruptSampleError(
            f"MD5 mismatch in {path}: it is {digest}, but {md5} has {expected}. The file has changed since it "
            f"was written. Restore it from a copy, or remove {md5.name} to accept the changed file."
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="datasets: .msgpack files or glob patterns")
    add("--checksums", action="store_true", help="write only the checksums, and do not change the index")
    add("-y", "--no-confirm", action="store_true", help="replace existing files without asking")


def main(args: argparse.Namespace) -> int:
    """Build each index. Returns the exit code."""
    replaced, what, work = (
        ((SUFFIX_CHECKSUMS,), "checksums", index_checksums)
        if args.checksums
        else (REPLACED, "an index", index)
    )

    def build(path: Path) -> str:
        exists = any(path_append(path, suffix).exists() for suffix in replaced)
        if exists and not args.no_confirm:
            confirm_overwrite(f"{path.name} has {what}, overwrite?")
        return f"{path.name}: {work(path):,} samples {'hashed' if args.checksums else 'indexed'}"

    several = _run.Several(args.prog)
    for line in several.each(build, several.expand(without_index_files(args.files), datasets)):
        _run.say(line)
    return several.status


def entry() -> None:
    """The console script ``ddfast-index``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-index"))


if __name__ == "__main__":
    entry()
