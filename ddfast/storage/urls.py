"""What the parts of a URL are, and how it is shown."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

# As in RFC 3986, but at least two letters: "c:" is a drive. fsspec chains schemes with "::".
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?=://|::)")
WILDCARDS = re.compile(r"[*?[]")
# A query belongs to HTTP; elsewhere a question mark is a wildcard, or part of a name.
WITH_QUERY = ("http", "https")


class Location(NamedTuple):
    """A URL in parts: ``scheme://root/key?query``.

    Attributes:
        scheme: lower case.
        root: the host or bucket, with all that stands before the first ``/``.
        key: the name below it, as it is written in the URL.
        query: what follows ``?``, with it, or nothing.
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
    """Whether a name is a URL, ``file://`` among them; what is not is a path."""
    return scheme_of(name) is not None


def split_url(url: str) -> Location:
    """The parts of a URL ``scheme://...``."""
    scheme, _, rest = url.partition("://")
    root, _, key = rest.partition("/")
    if scheme.lower() not in WITH_QUERY:
        return Location(scheme.lower(), root, key)
    whole, mark, query = rest.partition("#")[0].partition("?")
    root, _, key = whole.partition("/")
    return Location(scheme.lower(), root, key, mark + query)


def lengthened(url: str, suffix: str) -> str:
    """The URL of the object beside this one whose name is longer by a suffix."""
    if scheme_of(url) not in WITH_QUERY:
        return url + suffix
    location = split_url(url)
    return str(location._replace(key=location.key + suffix))


def shown(url: str) -> str:
    """A URL without what may be secret: passwords and the query, where signatures are."""
    if "://" not in url:
        return url
    location = split_url(url)
    # the container of abfs://container@account stays
    user, at, host = location.root.rpartition("@")
    root = f"{user.partition(':')[0]}{at}{host}" if ":" in user else location.root
    return str(location._replace(root=root, query="?..." if location.query else ""))
