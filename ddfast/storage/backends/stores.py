"""Stores of obstore: how they are made, and how a process ends, or forks, while requests to them are under way.

A request of obstore's asynchronous functions ends on a thread of obstore, which takes the GIL to give the result to
the event loop, and releases it while it writes to the loop's socket. By then the loop, and the program, may have
ended, and a thread that asks for the GIL of an interpreter that is shutting down aborts the process. So the end of the
program waits until these threads are done. It recognises that by the futures, to which the threads hold references as
long as they use them, also of cancelled requests, and by the frames of threads that Python did not start.

A forked process does not have obstore's threads, so that requests there would never end; see `PendingRequests.begin`.

A loop that ends right after requests were cancelled is still called by these threads, which then print that the loop
is closed. So closing a storage waits for cancelled requests, too.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import gc
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote
from weakref import ref

from ddfast._util.secrets import Secrets
from ddfast.errors import MissingPackageError, StorageOptionError, UnsupportedIOError
from ddfast.storage.urls import AZURE, HTTP, Location, shown

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["PendingRequests", "key_of", "make_store", "pending"]

T = TypeVar("T")

# Reads are retried above, where the remaining time is known.
NO_RETRIES = {"max_retries": 0}

# Options that name another server. obstore also takes those of providers from the environment.
ENDPOINT = re.compile(r"(aws_|azure_|azure_storage_)?endpoint(_url|_url_s3)?", re.IGNORECASE)
PROVIDERS = ("AWS_", "AZURE_")

WAIT_SECONDS = 1.0
STEP_SECONDS = 0.005
# The latest requests, which may be under way. Older ones have ended long ago.
LATEST = 8192

# The stores memory://name of this process.
_memory: dict[str, Any] = {}
_memory_lock = threading.Lock()


def key_of(location: Location) -> str:
    """The key of an object in its store. Only keys of HTTP are percent-encoded in the URL."""
    return unquote(location.key) if location.scheme in HTTP else location.key


def make_store(location: Location, options: Mapping[str, Any], retries: bool = False) -> ObjectStore:
    """Make the store that holds an object, without sending a request.

    Parameters:
        location: of the object.
        options: those of `open_storage`.
        retries: let obstore retry failed requests, as the options say.

    Raises:
        StorageOptionError: an option is unknown, has an invalid value, or is missing.
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
            raise StorageOptionError(f"memory:// has no options, but got {', '.join(sorted(options))}")
        with _memory_lock:
            store: ObjectStore = _memory.setdefault(location.root, stores.MemoryStore())
            return store
    settings = {**({} if retries else {"retry_config": NO_RETRIES}), **options}
    settings["client_options"] = _client_options(location, options)
    try:
        if location.scheme in HTTP:
            host = location.root.rpartition("@")[2]
            return stores.HTTPStore(f"{location.scheme}://{host}/{location.query}", **settings)
        if location.scheme in AZURE:
            return stores.AzureStore.from_url(f"{location.scheme}://{location.root}", **settings)
        return (stores.GCSStore if location.scheme == "gs" else stores.S3Store)(location.root, **settings)
    except (BaseError, TypeError, ValueError, OverflowError) as error:
        Secrets(str(location), options).removed_from(error)
        reason = str(error).partition("\n")[0]
        raise StorageOptionError(
            f"{shown(str(location))} cannot be opened with these options: {reason}"
        ) from error


def _client_options(location: Location, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of obstore's HTTP client. Times may be numbers of seconds; URLs with http:// allow plain HTTP."""
    given = options.get("client_options") or {}
    if not isinstance(given, Mapping):
        raise StorageOptionError(f"client_options is of type {type(given).__name__}, not a dict of settings")
    client: dict[str, Any] = {
        name: timedelta(seconds=value)
        if name.endswith("timeout") and isinstance(value, int | float)
        else value
        for name, value in given.items()
    }
    if location.scheme == "http" or any(value.startswith("http://") for value in _endpoints(options)):
        client.setdefault("allow_http", True)
    user = location.root.rpartition("@")[0] if location.scheme in HTTP else ""
    if user:
        # obstore ignores user and password of the URL
        token = base64.b64encode(unquote(user).encode()).decode()
        client["default_headers"] = {"authorization": f"Basic {token}", **client.get("default_headers", {})}
    return client


def _endpoints(options: Mapping[str, Any]) -> list[str]:
    """The endpoints in the options, or else in the environment."""
    given = [str(value) for name, value in options.items() if ENDPOINT.fullmatch(name)]
    known = [(name, value) for name, value in os.environ.items() if name.startswith(PROVIDERS)]
    return given or [value for name, value in known if ENDPOINT.fullmatch(name)]


class PendingRequests:
    """The requests of this process to obstore that may be under way."""

    def __init__(self) -> None:
        self._was_used = self._was_used_before_fork = False
        self.forget()

    def forget(self) -> None:
        """Forget all requests, in a forked process, which does not have the threads that carry them out."""
        self._was_used_before_fork = self._was_used_before_fork or self._was_used
        # Each is looked at once, at the end: a WeakSet would cost more than the rest of a request here.
        self._futures: deque[ref[asyncio.Future[object]]] = deque(maxlen=LATEST)
        self._was_used = False

    def begin(self, url: str) -> None:
        """To be called before any request of obstore that uses its threads.

        Raises:
            UnsupportedIOError: this process was forked from one that had used obstore.
        """
        if self._was_used_before_fork:
            raise UnsupportedIOError(
                f"{url} cannot be read in process {os.getpid()}, which was forked from a process that had used "
                "obstore: the threads of obstore do not exist here. Start processes with 'spawn' or 'forkserver' "
                "(multiprocessing.set_start_method, multiprocessing_context of a DataLoader), or before the first "
                "read."
            )
        self._was_used = True

    async def wait_for(self, request: Awaitable[T]) -> T:
        """The result of a request."""
        self._futures.append(ref(request))  # type: ignore[arg-type]  # obstore's stubs do not say that it is a Future
        try:
            return await request
        finally:
            del request  # the traceback of an error would keep a reference, as obstore's threads do

    async def settle(self) -> None:
        """Wait until obstore's threads are done with cancelled requests, at most a second."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._has_cancelled() and time.monotonic() < deadline:  # noqa: ASYNC110  # there is no notification
            await asyncio.sleep(STEP_SECONDS)

    def _has_cancelled(self) -> bool:
        return any(future.cancelled() for future in self._alive())

    def _alive(self) -> list[asyncio.Future[object]]:
        if self._futures:
            _release_futures()
        return [future for each in tuple(self._futures) if (future := each()) is not None]

    def drain(self) -> None:
        """Wait until obstore's threads have left Python, at most a second."""
        if not self._was_used:
            return
        deadline = time.monotonic() + WAIT_SECONDS
        gc.collect()  # futures in reference cycles would look as if they were in use
        while (self._alive() or _foreign_threads_in_asyncio()) and time.monotonic() < deadline:
            time.sleep(STEP_SECONDS)
        time.sleep(STEP_SECONDS)  # a thread that has just released the last future still needs the GIL to end


def _release_futures() -> None:
    """Make obstore drop its references to futures that its threads are done with.

    A thread without the GIL leaves that to the next call of any function of obstore.
    """
    from obstore.store import MemoryStore

    MemoryStore()


def _foreign_threads_in_asyncio() -> bool:
    """Whether a thread that Python did not start is waking an event loop."""
    own = {thread.ident for thread in threading.enumerate()}
    folder = f"{os.sep}asyncio{os.sep}"
    frames = sys._current_frames().items()
    return any(folder in frame.f_code.co_filename for ident, frame in frames if ident not in own)


pending = PendingRequests()
atexit.register(pending.drain)
os.register_at_fork(after_in_child=pending.forget)
