"""Build or rebuild the index of a dataset from its data file.

The command reads the data file once from start to end, and checks samples without decoding them.
Each sample must be a map with a unique string under "key". The result equals the files of the
writers byte for byte: train.msgpack.offsets, .keys, .key_hashes, .filter, .md5 and .xxh3 (the
checksum of each sample). The new files replace existing ones when they are complete; the command
asks first, unless -y is given. --checksums writes only the .xxh3 file, for a dataset with an index;
--table only the .table file of an annotated dataset, from the annotations or labels of its samples.
If an MD5 file shows that the data file is damaged, nothing is written. Under a URL, which has to be
one that can be written, the index files are made in a temporary folder and uploaded.

Example:
  ddfast index -y train.msgpack
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddfast.commands import _run
from ddfast.commands._files import (
    SUFFIX_MD5,
    byte_bar,
    confirm_overwrite,
    listed_digests,
    sources,
    without_index_files,
)
from ddfast.commands._places import Options, Place, StrPath, add_storage_arguments, placed, storage_options
from ddfast.commands._uploads import objects_of, upload
from ddfast.errors import CorruptSampleError, IndexFileError, UnsupportedIOError
from ddfast.index import (
    SUFFIX_CHECKSUMS,
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    SUFFIX_TABLE,
    legacy_load_index,
    load_offsets,
)
from ddfast.scan import scan_checksums, scan_index
from ddfast.storage.urls import shown
from ddfast.tools import hash_md5hex, make_printer, path_append
from ddfast.writer import write_index, write_sums
from ddfast.writer.digest import Digest

REPLACED = (SUFFIX_OFFSETS, SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER, SUFFIX_MD5)


def index(path: StrPath, storage_options: Options = None) -> int:
    """Write the index of a data file.

    Parameters:
        path: the data file; a path, or a URL that can be written.
        storage_options: options for a URL, see `ddfast.storage.open_upload`.

    Returns:
        The number of samples.

    Raises:
        CorruptSampleError: a sample is damaged, or the MD5 file has another digest of the data file.
        IndexFileError: the MD5 file is damaged.
        InvalidSampleError: a sample has no key, or (`DuplicateKeyError`) the key of another sample.
        UnsupportedIOError: the URL is of a web server, or of a chain of file systems.
        StorageError: the storage refuses to read the data file or to write an index file.
    """
    objects = objects_of(path, storage_options)
    with placed(path, storage_options) as place:
        with _reading(place, "index") as (take, digest):
            keys, offsets, sums = scan_index(place.front(), take)
            digests = [(place.base.name, digest.hexdigest())]
        _compare(place, digests[0][1])
        legacy = path_append(place.base, SUFFIX_LEGACY_INDEX)
        if legacy.exists():
            digests.append((legacy.name, hash_md5hex(legacy)))
        files = write_index(place.base, keys, offsets, digests, sums=sums)
        if objects is not None:
            upload(objects, place.base, files)
    return len(keys)


def index_checksums(path: StrPath, storage_options: Options = None) -> int:
    """Write the checksums of all samples of a data file that has an index.

    Parameters:
        path: the data file; a path, or a URL that can be written.
        storage_options: options for a URL, see `ddfast.storage.open_upload`.

    Returns:
        The number of samples.

    Raises:
        CorruptSampleError: the MD5 file has another digest of the data file.
        FileNotFoundError: the data file or the index is missing.
        IndexFileError: the offsets are damaged or belong to another data file.
        UnsupportedIOError, StorageError: as of `index`.
    """
    objects = objects_of(path, storage_options)
    with placed(path, storage_options) as place:
        offsets = _offsets(place)
        with _reading(place, "checksums of") as (take, digest):
            sums = scan_checksums(place.front(), offsets, take)
            found = digest.hexdigest()
        _compare(place, found)
        file = write_sums(place.base, sums)
        if objects is not None:
            upload(objects, place.base, [file])
    return len(sums)


def index_table(path: StrPath, storage_options: Options = None) -> int:
    """Write the table of annotations of a dataset.

    Returns:
        The number of annotations.
    """
    from ddfast.annotated.stored import write_table  # other uses of the command do without

    with make_printer(desc=f"table of {Path(path).name}", unit=" samples", leave=False, disable=None) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return write_table(path, advance)


@contextlib.contextmanager
def _reading(place: Place, what: str) -> Iterator[tuple[Callable[[memoryview], None], Digest]]:
    """A function to call with all bytes of a data file, and their digest; with a progress bar."""
    digest = Digest()
    try:
        with byte_bar(f"{what} {place.base.name}", place.size) as bar:

            def take(data: memoryview) -> None:
                digest.update([data])
                bar.update(len(data))

            yield take, digest
    finally:
        digest.close()


def _offsets(place: Place) -> NDArray[np.uint64]:
    path = place.base
    legacy = path_append(path, SUFFIX_LEGACY_INDEX)
    if legacy.exists() and not path_append(path, SUFFIX_OFFSETS).exists():
        return np.array(legacy_load_index(path, place.size)[1], np.uint64)
    offsets = load_offsets(path)
    if int(offsets[-1]) != place.size:
        raise IndexFileError(
            f"{place.called(path_append(path, SUFFIX_OFFSETS))} belongs to another data file: {path.name} has "
            f"{place.size:,} bytes, not {int(offsets[-1]):,}. Run `ddfast verify` to find the damage"
        )
    return offsets


def _compare(place: Place, digest: str) -> None:
    """Refuse to replace the MD5 file of a data file that has changed."""
    expected = (listed_digests(place.base) or {}).get("", digest)
    if digest != expected:
        md5 = path_append(place.base, SUFFIX_MD5)
        raise CorruptSampleError(
            f"MD5 mismatch in {place.name}: it is {digest}, but {place.called(md5)} has {expected}. The file has "
            f"changed since it was written. Restore it from a copy, or remove {md5.name} to accept the changed file."
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="datasets: .msgpack files, URLs or glob patterns")
    add_storage_arguments(parser)
    add("--checksums", action="store_true", help="write only the checksums, and do not change the index")
    add("--table", action="store_true", help="write only the table of annotations; local files only")
    add("-y", "--no-confirm", action="store_true", help="replace existing files without asking")


def main(args: argparse.Namespace) -> int:
    """Build each index. Returns the exit code."""
    replaced, what, done, work = (
        ((SUFFIX_CHECKSUMS,), "checksums", "samples hashed", index_checksums)
        if args.checksums
        else ((SUFFIX_TABLE,), "a table", "annotations", index_table)
        if args.table
        else (REPLACED, "an index", "samples indexed", index)
    )
    options = storage_options(args)

    def build(path: Path | str) -> str:
        if args.table and isinstance(path, str):
            raise UnsupportedIOError(f"{shown(path)}: tables are made of local files only. Copy the dataset")
        objects = objects_of(path, options)
        if isinstance(path, str):
            name, exists = shown(path), objects is not None and any(map(objects.stat, replaced))
        else:
            name, exists = path.name, any(path_append(path, suffix).exists() for suffix in replaced)
        if exists and not args.no_confirm:
            confirm_overwrite(f"{name} has {what}, overwrite?")
        return f"{name}: {work(path, options):,} {done}"

    several = _run.Several(args.prog)
    paths = several.expand(without_index_files(args.files), partial(sources, storage_options=options))
    for line in several.each(build, paths):
        _run.say(line)
    return several.status


def entry() -> None:
    """The console script ``ddfast-index``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-index"))


if __name__ == "__main__":
    entry()
