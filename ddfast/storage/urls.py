"""URLs of objects: their parts, which library reads them, and how messages show them."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import unquote

from ddfast._util.ranges import expand_ranges, has_range
from ddfast._util.secrets import CHAIN, HTTP, Secrets, shown
from ddfast.errors import StorageNotFoundError

__all__ = [
    "AZURE",
    "HTTP",
    "OBSTORE_SCHEMES",
    "WILDCARDS",
    "WITH_CREDENTIALS",
    "Location",
    "Secrets",
    "expand_ranges",
    "file_name",
    "has_range",
    "is_object",
    "is_pattern",
    "is_url",
    "lengthened",
    "refuse_mangled",
    "scheme_of",
    "shown",
    "split_url",
]

# As in RFC 3986, but with at least two letters: "c:" is a drive. fsspec chains schemes with "::".
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?=://|::)")
MANGLED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)")
WILDCARDS = re.compile(r"[*?[]")

# Schemes that obstore reads; all others are left to fsspec.
AZURE = ("az", "azure", "adl", "abfs", "abfss")
WITH_CREDENTIALS = ("s3", "s3a", "gs", *AZURE)
OBSTORE_SCHEMES = (*WITH_CREDENTIALS, *HTTP, "memory")


class Location(NamedTuple):
    """A URL in parts: ``scheme://root/key?query``.

    Attributes:
        scheme: lower case.
        root: the host or bucket, with everything before the first ``/``.
        key: the name below it, as written in the URL.
        query: the query including its ``?``, or nothing. Only URLs of HTTP have one: elsewhere a question mark is a
            wildcard, or part of a name.
    """

    scheme: str
    root: str
    key: str
    query: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.root}/{self.key}{self.query}"


def scheme_of(url: object) -> str | None:
    """The scheme in lower case; None for a path."""
    match = SCHEME.match(url) if isinstance(url, str) else None
    return match[1].lower() if match else None


def is_url(name: str | os.PathLike[str]) -> bool:
    """Whether a name is a URL, including ``file://``. Any other name is a path."""
    return scheme_of(name) is not None


def is_object(url: str) -> bool:
    """Whether a URL is read and written with obstore."""
    return "::" not in url and scheme_of(url) in OBSTORE_SCHEMES


def is_pattern(url: str) -> bool:
    """Whether a URL has wildcards. URLs of HTTP have none: they name one object, whatever they contain."""
    return scheme_of(url) not in HTTP and WILDCARDS.search(url.partition("://")[2]) is not None


def split_url(url: str) -> Location:
    """The parts of a URL ``scheme://...``."""
    scheme, _, rest = url.partition("://")
    root, _, key = rest.partition("/")
    if scheme.lower() not in HTTP:
        return Location(scheme.lower(), root, key)
    whole, mark, query = rest.partition("#")[0].partition("?")
    root, _, key = whole.partition("/")
    return Location(scheme.lower(), root, key, mark + query)


def refuse_mangled(path: str | os.PathLike[str]) -> None:
    """Refuse a path that was made from a URL, such as ``http:/host/x`` of `pathlib`.

    Raises:
        StorageNotFoundError: the path is one, and no file has this name.
    """
    name = os.fspath(path)
    if isinstance(name, str) and MANGLED.match(name) and not os.path.exists(name):  # noqa: PTH110
        raise StorageNotFoundError(
            f"{shown(name)} is a URL that has become a path and has lost a slash. Give the URL as a str, not as a Path"
        )


def lengthened(url: str, suffix: str) -> str:
    """The URL with a suffix added to the name of the object; in a chain of file systems, to the first name."""
    links = CHAIN.split(url)
    number = next((number for number, link in enumerate(links) if "://" in link), len(links) - 1)
    link = links[number]
    if scheme_of(link) in HTTP:
        location = split_url(link)
        links[number] = str(location._replace(key=location.key + suffix))
    else:
        links[number] = link + suffix
    return "::".join(links)


def file_name(url: str) -> str:
    """The last part of the name of an object, without escapes; in a chain of file systems, of the first name.

    Raises:
        StorageNotFoundError: the URL ends in a slash, or the part cannot be the name of a file.
    """
    link = next((link for link in CHAIN.split(url) if "://" in link), url)
    key = split_url(link).key
    name = (unquote(key) if scheme_of(link) in HTTP else key).rpartition("/")[2]
    if name in ("", ".", "..") or "\0" in name:
        raise StorageNotFoundError(
            f"{shown(url)} names a folder, not a data file. Append the name of the file"
        )
    return name
