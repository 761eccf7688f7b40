"""From the name of a data file, which may be a URL, to its dataset. This is where readers learn of URLs.

Imports next to nothing: most of the time to the first sample of a program would go to it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ddfast.anydataset import AnyDataset, Verify
from ddfast.dataset import Dataset
from ddfast.options import Far

__all__ = ["is_far", "open_file", "open_files", "path_of", "shown_name"]


def is_far(source: str | os.PathLike[str]) -> bool:
    """Whether a data file, or a pattern, is a URL, other than one of a file."""
    return _scheme_of(source) not in (None, "file")


def path_of(source: str | os.PathLike[str]) -> str:
    """The path that a URL of a file means; everything else stays as it is."""
    if _scheme_of(source) != "file":
        return os.fspath(source)
    from ddfast.storage.local import path_of

    return str(path_of(os.fspath(source)))


def shown_name(source: str | os.PathLike[str]) -> str:
    """What messages call a data file: a path, or a URL without what may be secret."""
    name = os.fspath(source)
    if _scheme_of(source) is None:
        return name
    from ddfast.storage.urls import shown

    return shown(name)


def open_file(
    path: str | os.PathLike[str],
    *,
    allow_pickle: bool = False,
    verify: Verify | None = None,
    far: Far = Far(),  # noqa: B008  # a tuple
) -> AnyDataset:
    """The dataset in just this file; errors as those of `ddfast.shards.open_dataset`."""
    if is_far(path):
        return open_files([path], shown_name(path), allow_pickle=allow_pickle, verify=verify, far=far)
    return Dataset(path_of(path), allow_pickle=allow_pickle, verify=verify)


def open_files(
    paths: Sequence[str | os.PathLike[str]],
    name: str,
    *,
    allow_pickle: bool = False,
    verify: Verify | None = None,
    far: Far = Far(),  # noqa: B008  # a tuple
) -> AnyDataset:
    """The dataset in just these files, which messages call `name`; errors as those of `ddfast.shards.open_dataset`."""
    names = [path_of(path) for path in paths]
    if any(map(is_far, names)):
        from ddfast.far import open_far

        return open_far(names, name, allow_pickle=allow_pickle, verify=verify, far=far)
    from ddfast.shards import ShardedDataset

    return ShardedDataset(names, name, allow_pickle=allow_pickle, verify=verify)


def _scheme_of(source: str | os.PathLike[str]) -> str | None:
    if not isinstance(source, str) or ":" not in source:
        return None
    from ddfast.storage.urls import scheme_of

    return scheme_of(source)
