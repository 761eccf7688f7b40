"""Objects in stores that obstore knows: S3, Google Cloud Storage, Azure, HTTP, and memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ddfast.errors import StorageDeniedError
from ddfast.storage.backends.leaving import requests
from ddfast.storage.backends.local import beyond_end
from ddfast.storage.backends.obstore_errors import explained, is_failure, knows_no_head, may_be_cut
from ddfast.storage.backends.pinned import MOST_PINNED, Pin
from ddfast.storage.backends.stores import WITH_CREDENTIALS, key_of, make_store
from ddfast.storage.base import Span, Stat, Storage, paired, scatter
from ddfast.storage.failures import shortened
from ddfast.storage.urls import Location, lengthened, split_url

if TYPE_CHECKING:
    from obstore import Bytes, GetOptions, GetResult, ObjectMeta
    from obstore.store import ObjectStore

T = TypeVar("T")

# Spans of one blocking call that are asked for at once.
BLOCKING_REQUESTS = 8
# The time that obstore gives to objects without one.
NO_TIME = 0


class Client:
    """A store and its connections, shared by the objects beside each other.

    Parameters:
        location: of any of them.
        options: those of `open_storage`.
    """

    def __init__(self, location: Location, options: dict[str, Any]) -> None:
        self._location = location
        self._options = options
        self._lock = threading.Lock()
        self.store: ObjectStore = make_store(location, options)
        self._pinned = 0

    def may_pin(self) -> bool:
        """Whether one more object may have a store, and connections, of its own."""
        with self._lock:
            self._pinned += 1
            return self._pinned <= MOST_PINNED

    @property
    def has_credentials(self) -> bool:
        """Whether there may be others to ask for."""
        return self._location.scheme in WITH_CREDENTIALS

    def renew(self, refused: ObjectStore) -> bool:
        """Have credentials asked for again after a store was refused; False if there are none to ask for."""
        if not self.has_credentials:
            return False
        with self._lock:
            if self.store is refused:  # another read may have been faster
                self.store = make_store(self._location, self._options)
        return True


class ObjectStorage(Storage):
    """An object of ``s3://``, ``gs://``, ``az://``, ``http(s)://`` or ``memory://``, read by requests for ranges.

    Every request says which version it is meant for, and what the answer says of it is looked at as well. A request is
    made once, or twice where credentials were refused and could be asked for again.

    Parameters:
        url: of the object.
        options: as for `open_storage`.

    Raises:
        StorageOptionError: an option is not known, or has a value that makes no sense.
        MissingPackageError: obstore is not installed.
    """

    def __init__(self, url: str, *, _client: Any = None, **options: Any) -> None:
        super().__init__(url, **options)
        self._location = split_url(url)
        self._key = key_of(self._location)
        self._client: Client = Client(self._location, options) if _client is None else _client
        self._tag: str | None = None
        self._pin = Pin(self._location, options)
        self._may_pin = False

    def stat(self) -> Stat:
        """Size and version, by a request for the head of the object."""
        return self._twice(self._stat)

    async def stat_async(self) -> Stat:
        """As `stat`."""
        return await self._twice_async(self._stat_async)

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read each span by a request of its own, some at once."""
        self.check_usable()
        pairs = paired(spans, into)
        if len(pairs) == 1:
            self._read_one(*pairs[0])
        elif pairs:
            with ThreadPoolExecutor(min(BLOCKING_REQUESTS, len(pairs)), "ddfast-storage") as pool:
                running = [pool.submit(self._read_one, span, target) for span, target in pairs]
                try:
                    for future in running:
                        future.result()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise

    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read each span by a request of its own, all at once."""
        self.check_usable()
        pairs = paired(spans, into)
        if len(pairs) == 1:
            await self._read_one_async(*pairs[0])
        else:
            await _all_of([self._read_one_async(span, target) for span, target in pairs])

    async def read_over_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read all by one request."""
        self.check_usable()
        hull = spans[0][0], spans[-1][1]
        scatter(memoryview(await self._got_async(hull)), hull[0], spans, into)

    def read_all(self) -> memoryview:
        """The whole object, by a single request."""
        return memoryview(self._twice(lambda store: self._get(store, None)))

    async def read_all_async(self) -> memoryview:
        """As `read_all`."""
        return memoryview(await self._twice_async(lambda store: self._get_async(store, None)))

    def beside(self, suffix: str) -> ObjectStorage:
        """Another object of the same store, over the same connections."""
        return self.neighbour(lengthened(self.url, suffix))

    def neighbour(self, url: str) -> ObjectStorage:
        """The object of another URL in the same store, over the same connections."""
        self.check_usable()
        return type(self)(url, _client=self._client, **self.options)

    async def close_async(self) -> None:
        """Wait for the end of requests that were cancelled, for a second at most."""
        await super().close_async()
        await requests.settle()

    # -- one request

    def _read_one(self, span: Span, target: memoryview) -> None:
        if self._should_pin():
            self._pin.attempt(cast("str", self._tag))
        content = self._range(span)
        if content is None:
            content = self._twice(lambda store: self._get(store, span))
        target[:] = memoryview(content)

    async def _read_one_async(self, span: Span, target: memoryview) -> None:
        target[:] = memoryview(await self._got_async(span))

    async def _got_async(self, span: Span) -> Bytes:
        """A span by one request."""
        if self._should_pin():
            await self._pin.attempt_async(cast("str", self._tag))
        content = await self._range_async(span)
        if content is None:
            content = await self._twice_async(lambda store: self._get_async(store, span))
        return content

    def _should_pin(self) -> bool:
        requests.begin(self.name)
        if not self._pin.is_due() or self._tag is None:
            return False
        self._may_pin = self._may_pin or self._client.may_pin()
        if not self._may_pin:
            self._pin.settle()
        return self._may_pin

    def _range(self, span: Span) -> Bytes | None:
        """A span of the version that was seen; None where it has to be got in another way."""
        store = self._pin.store
        if store is None:
            return None
        import obstore

        try:
            return self._whole(obstore.get_range(store, self._key, start=span[0], end=span[1]), span)
        except Exception as error:
            self._explain_range(error, span)
        return None

    async def _range_async(self, span: Span) -> Bytes | None:
        store = self._pin.store
        if store is None:
            return None
        import obstore

        try:
            asked = obstore.get_range_async(store, self._key, start=span[0], end=span[1])
            return self._whole(await requests.wait_for(asked), span)
        except Exception as error:
            self._explain_range(error, span)
        return None

    def _whole(self, content: Bytes, span: Span) -> Bytes:
        """The content of a span, if that is all of it."""
        if len(content) != span[1] - span[0]:
            self._refuse_beyond(cast("Stat", self._seen), span)
            raise shortened(self.name, span, len(content))
        return content

    def _explain_range(self, error: Exception, span: Span) -> None:
        """Raise what the error means, unless new credentials may help."""
        if not is_failure(error):
            raise error
        if may_be_cut(error):
            self._refuse_beyond(cast("Stat", self._seen), span)
        meaning = explained(error, self, span)
        if not isinstance(meaning, StorageDeniedError) or not self._client.has_credentials:
            raise meaning from error
        self._pin.drop()

    def _get(self, store: ObjectStore, span: Span | None) -> Bytes:
        import obstore

        try:
            result = obstore.get(store, self._key, options=self._wanted(span))
            return self._checked(result, result.bytes(), span)
        except Exception as error:
            if not is_failure(error):
                raise
            if may_be_cut(error):
                self._refuse_beyond(self._stat(store), span)
            raise explained(error, self, span) from error

    async def _get_async(self, store: ObjectStore, span: Span | None) -> Bytes:
        import obstore

        try:
            result = await requests.wait_for(obstore.get_async(store, self._key, options=self._wanted(span)))
            return self._checked(result, await requests.wait_for(result.bytes_async()), span)
        except Exception as error:
            if not is_failure(error):
                raise
            if may_be_cut(error):
                self._refuse_beyond(await self._stat_async(store), span)
            raise explained(error, self, span) from error

    def _stat(self, store: ObjectStore) -> Stat:
        import obstore

        try:
            try:
                return self._seen_as(obstore.head(store, self._key), None)
            except Exception as error:
                if not knows_no_head(error):
                    raise
            return self._seen_as(obstore.get(store, self._key, options={"range": (0, 1)}).meta, None)
        except Exception as error:
            if not is_failure(error):
                raise
            raise explained(error, self, None) from error

    async def _stat_async(self, store: ObjectStore) -> Stat:
        import obstore

        try:
            try:
                return self._seen_as(await requests.wait_for(obstore.head_async(store, self._key)), None)
            except Exception as error:
                if not knows_no_head(error):
                    raise
            asked = obstore.get_async(store, self._key, options={"range": (0, 1)})
            return self._seen_as((await requests.wait_for(asked)).meta, None)
        except Exception as error:
            if not is_failure(error):
                raise
            raise explained(error, self, None) from error

    def _twice(self, ask: Callable[[ObjectStore], T]) -> T:
        """Ask the store, and once more with new credentials if it refuses those it has."""
        self.check_usable()
        requests.begin(self.name)
        store = self._client.store
        try:
            return ask(store)
        except StorageDeniedError:
            if not self._client.renew(store):
                raise
        return ask(self._client.store)

    async def _twice_async(self, ask: Callable[[ObjectStore], Awaitable[T]]) -> T:
        self.check_usable()
        requests.begin(self.name)
        store = self._client.store
        try:
            return await ask(store)
        except StorageDeniedError:
            if not self._client.renew(store):
                raise
        return await ask(self._client.store)

    # -- what is asked and what is answered

    def _wanted(self, span: Span | None) -> GetOptions:
        options: GetOptions = {}
        if span is not None:
            options["range"] = span
        if self._tag is not None:
            options["if_match"] = self._tag
        return options

    def _checked(self, result: GetResult, content: Bytes, span: Span | None) -> Bytes:
        stat = self._seen_as(result.meta, span)
        self._refuse_beyond(stat, span)  # some answer with what there is
        expected = span or (0, stat.size)
        if len(content) != expected[1] - expected[0]:
            raise shortened(self.name, expected, len(content))
        return content

    def _seen_as(self, meta: ObjectMeta, span: Span | None) -> Stat:
        tag = meta["e_tag"]
        seen = self._seen
        if tag is not None and seen is not None and seen.version == tag and seen.size == meta["size"]:
            return seen
        changed = meta["last_modified"]
        time = f"{changed:%Y-%m-%dT%H:%M:%S.%fZ}" if changed.timestamp() > NO_TIME else None
        stat = self.note(Stat(meta["size"], tag or time), span)
        # If-Match compares strongly (RFC 9110, 13.1.1): a weak one never fits
        if tag and not tag.startswith("W/"):
            self._tag = tag
        return stat

    def _refuse_beyond(self, stat: Stat, span: Span | None) -> None:
        """Raise if a span ends behind the object."""
        if span is not None and span[1] > stat.size:
            raise beyond_end(self, span, stat.size)


async def _all_of(reads: list[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; when one fails, or this is cancelled, none goes on."""
    tasks = [asyncio.create_task(read) for read in reads]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def list_keys(folder: Location, options: dict[str, Any]) -> list[str]:
    """The keys of all objects below a folder, and of those below its folders.

    Raises:
        StorageError: the store did not give its list.
    """
    import obstore

    storage = ObjectStorage(str(folder), **options)
    requests.begin(storage.name)
    store = make_store(folder, options, retries=True)  # nobody else attempts it again
    try:
        parts = obstore.list(store, folder.key or None, chunk_size=1000)
        return [meta["path"] for part in parts for meta in part]
    except Exception as error:
        if not is_failure(error):
            raise
        raise explained(error, storage, None) from error
