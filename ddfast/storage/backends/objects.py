"""Objects in stores that obstore reads: S3, Google Cloud Storage, Azure, HTTP, and memory."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ddfast.errors import StorageDeniedError
from ddfast.storage.backends.failures import (
    beyond_end,
    explained,
    incomplete,
    is_failure,
    may_be_cut,
    needs_get,
)
from ddfast.storage.backends.stores import key_of, make_store, pending
from ddfast.storage.base import Span, Stat, Storage, all_of, paired, run_blocking, scatter
from ddfast.storage.urls import WITH_CREDENTIALS, Location, lengthened, split_url

if TYPE_CHECKING:
    from obstore import Bytes, GetOptions, GetResult, ObjectMeta
    from obstore.store import ObjectStore

__all__ = ["ObjectStorage", "list_keys"]

T = TypeVar("T")

# Requests of one blocking call that are sent at once.
BLOCKING_REQUESTS = 8
# The time of the last change that obstore reports for objects without one.
NO_TIME = 0


class StoreRequests(NamedTuple):
    """How requests are sent. Their coroutines never suspend if they block, see `ddfast.storage.base.run_blocking`."""

    is_async: bool

    async def head(self, store: ObjectStore, key: str) -> ObjectMeta:
        """Size and version of an object."""
        import obstore

        if self.is_async:
            return await pending.wait_for(obstore.head_async(store, key))
        return obstore.head(store, key)

    async def get(self, store: ObjectStore, key: str, options: GetOptions) -> GetResult:
        """The beginning of an answer, without its content."""
        import obstore

        if self.is_async:
            return await pending.wait_for(obstore.get_async(store, key, options=options))
        return obstore.get(store, key, options=options)

    async def content(self, result: GetResult) -> Bytes:
        """The content of an answer."""
        return await pending.wait_for(result.bytes_async()) if self.is_async else result.bytes()


BLOCKING, ASYNC = StoreRequests(is_async=False), StoreRequests(is_async=True)


class StoreClient:
    """A store and its connections, shared by several objects.

    Parameters:
        location: of any of them.
        options: those of `open_storage`.
        retries: let obstore retry failed requests.
    """

    def __init__(self, location: Location, options: dict[str, Any], retries: bool = False) -> None:
        self._location = location
        self._lock = threading.Lock()
        self._make = partial(make_store, location, options, retries)
        self.store: ObjectStore = self._make()

    def renew(self, refused: ObjectStore) -> bool:
        """Request credentials again after a store denied access; False if it uses none."""
        if self._location.scheme not in WITH_CREDENTIALS:
            return False
        with self._lock:
            if self.store is refused:  # another read may have been faster
                self.store = self._make()
        return True


class ObjectStorage(Storage):
    """An object of ``s3://``, ``gs://``, ``az://``, ``http(s)://`` or ``memory://``, read by requests for ranges.

    Every request names the version by ``If-Match`` if it has a strong ETag, and every answer is compared with the
    version that was seen first. A request is sent once, or twice where credentials were refused and could be renewed.

    Parameters:
        url: of the object.
        options: as for `open_storage`.

    Raises:
        StorageOptionError: an option is unknown or has an invalid value.
        MissingPackageError: obstore is not installed.
    """

    def __init__(self, url: str, *, _client: Any = None, **options: Any) -> None:
        super().__init__(url, **options)
        self._location = split_url(url)
        self._key = key_of(self._location)
        self._client: StoreClient = StoreClient(self._location, options) if _client is None else _client
        self._tag: str | None = None

    def stat(self) -> Stat:
        """Size and version, by a HEAD request."""
        return run_blocking(self._stat(BLOCKING))

    async def stat_async(self) -> Stat:
        """As `stat`."""
        return await self._stat(ASYNC)

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read each span by a request of its own, some at once."""
        self.check_usable()
        pairs = paired(spans, into)
        if len(pairs) == 1:
            self._read_one(*pairs[0])
        elif pairs:
            with ThreadPoolExecutor(min(BLOCKING_REQUESTS, len(pairs)), "ddfast-storage") as pool:
                list(pool.map(self._read_one, *zip(*pairs, strict=True)))  # cancels the others if one fails

    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read each span by a request of its own, all at once."""
        self.check_usable()
        reads = [self._read_one_async(span, target) for span, target in paired(spans, into)]
        if len(reads) == 1:
            await reads[0]  # a task would cost several times as much
        elif reads:
            await all_of(reads)

    async def read_over_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read all spans by one request."""
        hull = spans[0][0], spans[-1][1]
        scatter(memoryview(await self._get(ASYNC, hull)), hull[0], spans, into)

    def read_all(self) -> memoryview:
        """The whole object, by one request."""
        return memoryview(run_blocking(self._get(BLOCKING, None)))

    async def read_all_async(self) -> memoryview:
        """As `read_all`."""
        return memoryview(await self._get(ASYNC, None))

    def beside(self, suffix: str) -> ObjectStorage:
        """Another object of the same store, over the same connections."""
        return self.sibling(lengthened(self.url, suffix))

    def sibling(self, url: str) -> ObjectStorage:
        """The object of another URL in the same store, over the same connections."""
        self.check_usable()
        return type(self)(url, _client=self._client, **self.options)

    async def close_async(self) -> None:
        """Close the storage, and wait for the end of cancelled requests, at most a second."""
        await super().close_async()
        await pending.settle()

    # -- requests

    def _read_one(self, span: Span, target: memoryview) -> None:
        target[:] = memoryview(run_blocking(self._get(BLOCKING, span)))

    async def _read_one_async(self, span: Span, target: memoryview) -> None:
        target[:] = memoryview(await self._get(ASYNC, span))

    def _get(self, requests: StoreRequests, span: Span | None) -> Coroutine[Any, Any, Bytes]:
        """A span, or the whole object."""
        return self._with_credentials(lambda store: self._get_once(requests, store, span))

    def _stat(self, requests: StoreRequests) -> Coroutine[Any, Any, Stat]:
        return self._with_credentials(lambda store: self._stat_once(requests, store))

    async def _with_credentials(self, once: Callable[[ObjectStore], Awaitable[T]]) -> T:
        """The result of a request, which is sent once more with new credentials where access was denied."""
        self.check_usable()
        pending.begin(self.name)
        store = self._client.store
        try:
            return await once(store)
        except StorageDeniedError:
            if not self._client.renew(store):
                raise
        return await once(self._client.store)

    async def _get_once(self, requests: StoreRequests, store: ObjectStore, span: Span | None) -> Bytes:
        options: GetOptions = {}
        if span is not None:
            options["range"] = span
        if self._tag is not None:
            options["if_match"] = self._tag
        try:
            result = await requests.get(store, self._key, options)
            content = await requests.content(result)
            return self._checked(result, content, span)
        except Exception as error:
            if not is_failure(error):
                raise
            if may_be_cut(error):
                self._refuse_beyond(await self._stat_once(requests, store), span)
            raise explained(error, self, span) from error

    async def _stat_once(self, requests: StoreRequests, store: ObjectStore) -> Stat:
        try:
            try:
                return self._note_meta(await requests.head(store, self._key), None)
            except Exception as error:
                if not needs_get(error):
                    raise
            return self._note_meta((await requests.get(store, self._key, {"range": (0, 1)})).meta, None)
        except Exception as error:
            if not is_failure(error):
                raise
            raise explained(error, self, None) from error

    # -- answers

    def _checked(self, result: GetResult, content: Bytes, span: Span | None) -> Bytes:
        stat = self._note_meta(result.meta, span)
        self._refuse_beyond(stat, span)  # some servers answer with the bytes up to the end
        expected = span or (0, stat.size)
        if len(content) != expected[1] - expected[0]:
            raise incomplete(self.name, expected, len(content))
        return content

    def _note_meta(self, meta: ObjectMeta, span: Span | None) -> Stat:
        tag = meta["e_tag"]
        seen = self._seen
        if tag is not None and seen is not None and seen.version == tag and seen.size == meta["size"]:
            return seen
        changed = meta["last_modified"]
        time = f"{changed:%Y-%m-%dT%H:%M:%S.%fZ}" if changed.timestamp() > NO_TIME else None
        stat = self.note(Stat(meta["size"], tag or time), span)
        # If-Match compares strongly (RFC 9110, 13.1.1): a weak ETag never matches
        if tag and not tag.startswith("W/"):
            self._tag = tag
        return stat

    def _refuse_beyond(self, stat: Stat, span: Span | None) -> None:
        """Raise if a span ends after the end of the object."""
        if span is not None and span[1] > stat.size:
            raise beyond_end(self.name, span, stat.size)


def list_keys(folder: Location, options: dict[str, Any]) -> list[str]:
    """The keys of all objects in a folder and its folders.

    Raises:
        StorageError: the store could not be listed.
    """
    import obstore

    storage = ObjectStorage(str(folder), **options)
    pending.begin(storage.name)
    store = make_store(folder, options, retries=True)  # no other code retries this
    try:
        parts = obstore.list(store, folder.key or None, chunk_size=1000)
        return [meta["path"] for part in parts for meta in part]
    except Exception as error:
        if not is_failure(error):
            raise
        raise explained(error, storage, None) from error
