"""The location of a dataset: the path of a data file, a pattern, a list of files, or URLs.

Imports very little, because each import delays the first sample of a program.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from typing import Any

from ddfast._util.paths import absolute
from ddfast.dataset.options import RemoteOptions
from ddfast.errors import DatasetNotFoundError
from ddfast.format.files import SUFFIXES

__all__ = [
    "DatasetLocation",
    "absolute_file",
    "absolute_location",
    "is_plain",
    "is_remote",
    "list_shards",
    "name_of",
    "path_of",
    "pattern_hint",
    "shown_name",
]

DatasetLocation = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def is_remote(source: str | os.PathLike[str]) -> bool:
    """Whether a data file or a pattern is a URL, except for a ``file:`` URL."""
    return _scheme_of(source) not in (None, "file")


def path_of(source: str | os.PathLike[str]) -> str:
    """The path of a ``file:`` URL; anything else unchanged.

    Raises:
        StorageNotFoundError: it is the path that `pathlib` makes from a URL.
    """
    if _scheme_of(source) != "file":
        name = os.fspath(source)
        if ":/" in name:
            from ddfast.storage.urls import refuse_mangled

            refuse_mangled(name)
        return name
    from ddfast.storage.backends.files import path_of

    return str(path_of(os.fspath(source)))


def absolute_location(source: DatasetLocation) -> DatasetLocation:
    """The same location, which names the same files after `os.chdir`: URLs are unchanged, paths become absolute."""
    if not isinstance(source, str | os.PathLike):
        return [absolute_file(item) for item in source]
    if is_remote(source) or is_plain(source):
        return absolute_file(source)
    pattern = path_of(source)
    prefix = "" if os.path.isabs(pattern) else glob.escape(absolute(""))  # noqa: PTH117
    return prefix + pattern


def absolute_file(source: str | os.PathLike[str]) -> str:
    """The path or URL of a data file, which names the same file after `os.chdir`."""
    return os.fspath(source) if is_remote(source) else absolute(path_of(source))


def shown_name(source: str | os.PathLike[str]) -> str:
    """The name of a data file in messages: a path, or a URL without secrets."""
    name = os.fspath(source)
    if _scheme_of(source) is None:
        return name
    from ddfast.storage.urls import shown

    return shown(name)


def is_plain(source: DatasetLocation) -> bool:
    """Whether `source` is the path of one local data file, not a list or a pattern."""
    if not isinstance(source, str | os.PathLike) or is_remote(source):
        return False
    path = path_of(source)
    if not glob.has_magic(path) and not _has_range(path):
        return True
    return os.path.exists(path)  # noqa: PTH110  # pathlib is slow to import and to call


def list_shards(source: DatasetLocation, remote: RemoteOptions = RemoteOptions()) -> list[Any]:  # noqa: B008  # a tuple
    """The shards that match a pattern, sorted by name, or the items of a list.

    Index files that match a pattern such as ``train*`` are left out. A range such as ``{000..127}`` stands for shards
    in this order, all of which must exist.

    Raises:
        DatasetNotFoundError: no file matches the pattern.
        ValueError: ranges stand for more than 100,000 names.
        UnsupportedIOError: the pattern is for a web server, which cannot list files.
        StorageError: listing the object store failed.
    """
    if not isinstance(source, str | os.PathLike):
        return list(source)
    if is_plain(source):
        return [path_of(source)]
    if is_remote(source):
        from ddfast.storage.open import expand

        matches = expand(os.fspath(source), **(remote.storage_options or {}))
    else:
        matches = [path for name in _names(path_of(source)) for path in _matches(name)]
    found = [path for path in matches if not path.endswith(SUFFIXES)]
    if not found:
        raise DatasetNotFoundError(f"no file matches {shown_name(source)}")
    return found


def _has_range(path: str) -> bool:
    if "{" not in path:
        return False
    from ddfast._util.ranges import has_range

    return has_range(path)


def _names(pattern: str) -> list[str]:
    """The names, or patterns, that a pattern with ranges stands for."""
    if not _has_range(pattern):
        return [pattern]
    from ddfast._util.ranges import expand_ranges

    return expand_ranges(pattern)


def _matches(pattern: str) -> list[str]:
    matches = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
    if not matches:
        raise DatasetNotFoundError(f"no file matches {pattern}")
    return matches


def pattern_hint(name: str) -> str:
    """What to do if a file with a name that looks like a pattern is not found; nothing for other names."""
    if not any(character in name for character in "*?[") and not _has_range(name):
        return ""
    return (
        ". ShardedReader and AsyncReader read all files of a pattern, given alone and not in a list; expand others "
        "with `glob.glob`, or `ddfast.storage.expand` for URLs"
    )


def name_of(source: DatasetLocation, paths: Sequence[str | os.PathLike[str]]) -> str:
    """The name of the shards in messages."""
    if isinstance(source, str | os.PathLike):
        return shown_name(source)
    names = [shown_name(path) for path in paths]
    return f"{names[0]} and {len(names) - 1:,} more shards" if len(names) > 1 else f"[{', '.join(names)}]"


def _scheme_of(source: str | os.PathLike[str]) -> str | None:
    if not isinstance(source, str) or ":" not in source:
        return None
    from ddfast.storage.urls import scheme_of

    return scheme_of(source)
