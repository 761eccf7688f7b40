"""The obstore store that a URL and options mean."""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ddfast.errors import MissingPackageError, StorageOptionError
from ddfast.storage.urls import Location, shown

if TYPE_CHECKING:
    from obstore.store import ObjectStore

AZURE = ("az", "azure", "adl", "abfs", "abfss")
HTTP = ("http", "https")
WITH_CREDENTIALS = ("s3", "s3a", "gs", *AZURE)
SCHEMES = (*WITH_CREDENTIALS, *HTTP, "memory")

# Reads are attempted again by whoever asked for them, who knows how long there is.
NO_RETRIES = {"max_retries": 0}

# Options that name another server. obstore finds those of providers in the environment, too.
ENDPOINT = re.compile(r"(aws_|azure_|azure_storage_)?endpoint(_url|_url_s3)?", re.IGNORECASE)
PROVIDERS = ("AWS_", "AZURE_")

# What is under memory://name, in this process.
_memory: dict[str, Any] = {}
_making = threading.Lock()


def key_of(location: Location) -> str:
    """The object's key in its store. Only those of HTTP are written with %20 and the like."""
    return unquote(location.key) if location.scheme in HTTP else location.key


def make_store(
    location: Location,
    options: Mapping[str, Any],
    retries: bool = False,
    headers: Mapping[str, str] | None = None,
) -> ObjectStore:
    """Make the store that holds an object, without asking it for anything.

    Parameters:
        location: of the object.
        options: those of `open_storage`.
        retries: let obstore repeat requests that failed, unless the options say how.
        headers: to send with every request, besides those of the options.

    Raises:
        StorageOptionError: an option is not known, has a value that makes no sense, or is missing.
        MissingPackageError: obstore is not installed.
    """
    try:
        import obstore.store as stores
        from obstore.exceptions import BaseError
    except ImportError as error:
        raise MissingPackageError(
            f"{location.scheme}:// is read with obstore, which is not installed: pip install 'ddfast[remote]'"
        ) from error
    if location.scheme == "memory":
        if options:
            raise StorageOptionError(f"memory:// has no options, not even {', '.join(sorted(options))}")
        with _making:
            store: ObjectStore = _memory.setdefault(location.root, stores.MemoryStore())
            return store
    settings = {**({} if retries else {"retry_config": NO_RETRIES}), **options}
    client = settings["client_options"] = _client_options(location, options)
    if headers:
        client["default_headers"] = {**client.get("default_headers", {}), **headers}
    try:
        if location.scheme in HTTP:
            host = location.root.rpartition("@")[2]
            return stores.HTTPStore(f"{location.scheme}://{host}/{location.query}", **settings)
        if location.scheme in AZURE:
            return stores.AzureStore.from_url(f"{location.scheme}://{location.root}", **settings)
        return (stores.GCSStore if location.scheme == "gs" else stores.S3Store)(location.root, **settings)
    except (BaseError, TypeError, ValueError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise StorageOptionError(
            f"{shown(str(location))} cannot be opened with these options: {reason}"
        ) from error


def _client_options(location: Location, options: Mapping[str, Any]) -> dict[str, Any]:
    """What obstore's HTTP client is told. Times may be numbers of seconds; plain HTTP is for whoever names it."""
    given = options.get("client_options") or {}
    if not isinstance(given, Mapping):
        raise StorageOptionError(f"client_options is a dict of settings, not {given!r}")
    client: dict[str, Any] = {
        name: timedelta(seconds=value) if _is_time(name) and isinstance(value, int | float) else value
        for name, value in given.items()
    }
    if location.scheme == "http" or any(value.startswith("http://") for value in _endpoints(options)):
        client.setdefault("allow_http", True)
    user = location.root.rpartition("@")[0] if location.scheme in HTTP else ""
    if user:
        # obstore drops what stands before the host
        token = base64.b64encode(unquote(user).encode()).decode()
        client["default_headers"] = {"authorization": f"Basic {token}", **client.get("default_headers", {})}
    return client


def _endpoints(options: Mapping[str, Any]) -> list[str]:
    """The servers that options name, or else the environment."""
    given = [str(value) for name, value in options.items() if ENDPOINT.fullmatch(name)]
    known = [(name, value) for name, value in os.environ.items() if name.startswith(PROVIDERS)]
    return given or [value for name, value in known if ENDPOINT.fullmatch(name)]


def _is_time(name: str) -> bool:
    return name.endswith("timeout")
