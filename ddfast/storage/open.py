"""From a URL to the storage of an object, or to the URLs of all objects that match a pattern."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from ddfast._util.ranges import expand_ranges
from ddfast._util.secrets import Secrets, calling
from ddfast.errors import StorageOptionError, UnsupportedIOError
from ddfast.storage.backends.failures import of_any
from ddfast.storage.backends.files import AnyStorage, LocalStorage, open_file_system, path_of
from ddfast.storage.backends.objects import ObjectStorage, list_keys
from ddfast.storage.base import Storage
from ddfast.storage.urls import (
    HTTP,
    WILDCARDS,
    Location,
    is_object,
    is_pattern,
    refuse_mangled,
    scheme_of,
    shown,
    split_url,
)

__all__ = ["expand", "matches", "open_storage", "open_storages"]


def open_storage(url: str | os.PathLike[str], **options: Any) -> Storage:
    """Open the storage of one object. No request is sent yet.

    Parameters:
        url: a path or ``file://``; ``s3://``, ``gs://``, ``az://``, ``http(s)://`` or ``memory://``, which are read
            with obstore; any other scheme is read with fsspec.
        options: settings of the obstore store, such as ``endpoint``, ``region``, ``access_key_id``,
            ``skip_signature``, ``credential_provider``, and ``client_options`` for the HTTP client, in which times
            may be numbers of seconds; or the options of the fsspec file system. Files have no options.

    Raises:
        StorageOptionError: an option is unknown or has an invalid value.
        MissingPackageError: a package that the scheme needs is not installed.
    """
    name = os.fspath(url)
    if scheme_of(name) in (None, "file"):
        if options:
            raise StorageOptionError(
                f"{shown(name)} is a file, which has no options such as {', '.join(sorted(options))}"
            )
        refuse_mangled(name)
        return LocalStorage(name)
    return ObjectStorage(name, **options) if is_object(name) else AnyStorage(name, **options)


def open_storages(urls: Sequence[str], **options: Any) -> list[Storage]:
    """Open the storages of several objects, which share connections if they are in the same store.

    Files among them ignore the options. Otherwise as `open_storage`.
    """
    known: dict[Location, ObjectStorage] = {}
    opened: list[Storage] = []
    for url in urls:
        if not is_object(url):
            is_file = scheme_of(url) in (None, "file")
            opened.append(open_storage(url, **({} if is_file else options)))
            continue
        store = split_url(url)._replace(key="")
        first = known.get(store)
        if first is None:
            first = known[store] = ObjectStorage(url, **options)
            opened.append(first)
        else:
            opened.append(first.sibling(url))
    return opened


def expand(url: str, **options: Any) -> list[str]:
    """The URLs of all objects that match a pattern, sorted. A URL without wildcards gives itself.

    Parameters:
        url: with wildcards ``*``, ``?`` and ``[...]``, which do not match ``/``, and ``**`` for any number of
            folders; not in the name of a bucket or host. A range such as ``{000..127}`` stands for URLs that need not
            be listed, in this order; it is the only pattern that URLs of web servers have.
        options: as for `open_storage`.

    Raises:
        ValueError: ranges stand for more than 100,000 URLs.
        UnsupportedIOError: the URL is of a web server, which cannot list its objects.
        StorageError: the store could not be listed.
    """
    names = _expand_ranges(url)
    if names != [url]:
        return [each for name in names for each in expand(name, **options)]
    if scheme_of(url) in HTTP and "*" in split_url(url).key:
        raise UnsupportedIOError(
            f"{shown(url)} is a pattern, but web servers cannot list their objects. Give the URLs of all files, or a "
            "range such as {000..127}"
        )
    if not is_pattern(url):
        return [url]
    if scheme_of(url) == "file":
        paths = glob.glob(str(path_of(url)), recursive=True)  # noqa: PTH207  # Path.glob takes no whole paths
        return sorted(f"file://{quote(path)}" for path in paths)
    return sorted(_matching_keys(url, options) if is_object(url) else _matching_paths(url, options))


def _expand_ranges(url: str) -> list[str]:
    if scheme_of(url) not in HTTP or not is_object(url):
        return expand_ranges(url)
    location = split_url(url)  # whose query is kept as it is
    return [f"{each}{location.query}" for each in expand_ranges(str(location._replace(query="")))]


def _matching_keys(url: str, options: dict[str, Any]) -> list[str]:
    location = split_url(url)
    patterns = location.key.split("/")
    number = next(i for i, pattern in enumerate(patterns) if WILDCARDS.search(pattern))
    keys = list_keys(location._replace(key="/".join(patterns[:number])), options)
    return [str(location._replace(key=key)) for key in keys if matches(key.split("/"), patterns)]


def _matching_paths(url: str, options: dict[str, Any]) -> list[str]:
    file_system, pattern = open_file_system(url, options)
    paths = calling(
        lambda: file_system.glob(pattern),
        lambda error: of_any(error, shown(url), None, Secrets(url, options)),
    )
    scheme, _, rest = url.partition("://")
    chain = "::" + rest.partition("::")[2] if "::" in rest else ""
    return [f"{scheme}://{path.lstrip('/') if chain else path}{chain}" for path in paths]


def matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether the parts of a name, folders first, match those of a pattern."""
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return matches(parts, patterns[1:]) or (len(parts) > 0 and matches(parts[1:], patterns))
    return len(parts) > 0 and fnmatchcase(parts[0], patterns[0]) and matches(parts[1:], patterns[1:])
