"""Open the dataset at a path, a pattern, a list of paths or a URL."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ddfast.dataset.base import BaseDataset, Verify
from ddfast.dataset.local import LocalDataset
from ddfast.dataset.location import (
    DatasetLocation,
    is_plain,
    is_remote,
    list_shards,
    name_of,
    path_of,
    shown_name,
)
from ddfast.dataset.options import RemoteOptions

__all__ = ["open_dataset", "open_file", "open_files"]


def open_file(
    path: str | os.PathLike[str],
    *,
    allow_pickle: bool = False,
    verify: Verify | None = None,
    remote: RemoteOptions = RemoteOptions(),  # noqa: B008  # a tuple
) -> BaseDataset:
    """The dataset in this file; errors as those of `open_dataset`."""
    if is_remote(path):
        return open_files([path], shown_name(path), allow_pickle=allow_pickle, verify=verify, remote=remote)
    return LocalDataset(path_of(path), allow_pickle=allow_pickle, verify=verify)


def open_files(
    paths: Sequence[str | os.PathLike[str]],
    name: str,
    *,
    allow_pickle: bool = False,
    verify: Verify | None = None,
    remote: RemoteOptions = RemoteOptions(),  # noqa: B008  # a tuple
) -> BaseDataset:
    """The dataset in these files, with its name in messages; errors as those of `open_dataset`."""
    names = [path_of(path) for path in paths]
    if any(map(is_remote, names)):
        from ddfast.dataset.remote_open import open_remote

        return open_remote(names, name, allow_pickle=allow_pickle, verify=verify, remote=remote)
    from ddfast.dataset.sharded import ShardedDataset

    return ShardedDataset(names, name, allow_pickle=allow_pickle, verify=verify)


def open_dataset(
    source: DatasetLocation,
    *,
    allow_pickle: bool = False,
    verify: Verify | None = None,
    remote: RemoteOptions = RemoteOptions(),  # noqa: B008  # a tuple
) -> BaseDataset:
    """The dataset in one file, or in all files that match a pattern or are listed. Files can be URLs.

    Raises:
        DatasetNotFoundError: a data file or its index is missing, or no file matches the pattern.
        IndexFileError: an index is damaged.
        ChecksumsNotFoundError: samples are to be verified, and a file has no checksums.
        StorageError: the remote storage fails.
    """
    if isinstance(source, str | os.PathLike) and is_plain(source):
        return open_file(source, allow_pickle=allow_pickle, verify=verify)
    paths = list_shards(source, remote)
    return open_files(paths, name_of(source, paths), allow_pickle=allow_pickle, verify=verify, remote=remote)
