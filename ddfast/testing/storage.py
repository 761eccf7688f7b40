"""Tests that every storage passes."""

# fixtures and parameters of a test are passed by name
from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ddfast.errors import ClosedError, DatasetReplacedError, StorageError, StorageNotFoundError
from ddfast.storage import Span, Storage

# Spans that are read from an object of at least LEAST bytes.
LEAST = 1000
SPANS: list[list[Span]] = [
    [],
    [(0, 1)],
    [(7, 7)],
    [(0, LEAST)],
    [(5, 10), (10, 20), (20, 400)],
    [(900, 1000), (3, 4), (0, 0), (500, 700)],
    [(0, 600), (100, 200), (599, 601)],
    [(i, i + 3) for i in range(0, 600, 20)],
]
READERS = 8


def buffers(spans: Sequence[Span]) -> list[memoryview]:
    """A buffer for each span, filled with other bytes."""
    return [memoryview(bytearray(b"\xa5" * (stop - start))) for start, stop in spans]


class StorageTests:
    """Tests that a `ddfast.storage.Storage` passes. Subclass it and define two fixtures::

        class TestMyStorage(StorageTests):
            @pytest.fixture
            def content(self):
                return os.urandom(2000)

            @pytest.fixture
            def storage(self, content, tmp_path):
                put_somehow(content, tmp_path / "object")
                with MyStorage(tmp_path / "object") as storage:
                    yield storage

    Define a third one, `replace`, if the storage detects that an object was replaced, and a fourth one, `beside`, if
    objects with longer names can be written. If a behaviour differs intentionally, override its test and document the
    reason.
    """

    # -- defined by subclasses

    @pytest.fixture
    def content(self) -> bytes:
        """The bytes of the object: at least 1,000."""
        raise NotImplementedError("define a fixture `content`")

    @pytest.fixture
    def storage(self) -> Iterator[Storage]:
        """A new storage of the object for each test."""
        raise NotImplementedError("define a fixture `storage`")

    @pytest.fixture
    def replace(self) -> Callable[[bytes], None]:
        """A function that replaces the object's bytes."""
        return pytest.skip("this storage does not detect replaced objects")

    @pytest.fixture
    def beside(self) -> Callable[[str, bytes], None]:
        """A function that writes the object whose name is longer by a suffix."""
        return pytest.skip("this test cannot write objects")

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in a new event loop."""
        return asyncio.run(coroutine)

    def read(self, storage: Storage, spans: Sequence[Span], way: str) -> list[bytes]:
        """The bytes of spans, read by the blocking or the asynchronous method."""
        into = buffers(spans)
        if way == "blocking":
            storage.read(spans, into)
        else:
            self.run(storage.read_async(spans, into))
        return [bytes(buffer) for buffer in into]

    def threads(self) -> set[threading.Thread]:
        """The threads of this process that may belong to the storage."""
        return set(threading.enumerate())

    @pytest.fixture(params=["blocking", "async"])
    def way(self, request: pytest.FixtureRequest) -> str:
        """Whether the blocking or the asynchronous method is called."""
        return str(request.param)

    # -- reading

    def test_stat_gives_the_size(self, storage: Storage, content: bytes) -> None:
        assert len(content) >= LEAST
        assert storage.seen is None
        stat = storage.stat()
        assert stat.size == len(content)
        assert self.run(storage.stat_async()) == stat == storage.stat() == storage.seen

    @pytest.mark.parametrize("spans", SPANS, ids=len)
    def test_buffers_are_filled_with_their_spans(
        self, storage: Storage, content: bytes, way: str, spans: list[Span]
    ) -> None:
        assert self.read(storage, spans, way) == [content[start:stop] for start, stop in spans]

    @pytest.mark.parametrize("spans", SPANS, ids=len)
    def test_what_is_at_hand_is_what_a_read_gives(
        self, storage: Storage, content: bytes, spans: list[Span]
    ) -> None:
        self.read(storage, spans, "blocking")
        into = buffers(spans)
        if storage.read_at_hand(spans, into):
            assert [bytes(buffer) for buffer in into] == [content[start:stop] for start, stop in spans]

    def test_the_last_bytes_are_read(self, storage: Storage, content: bytes, way: str) -> None:
        assert self.read(storage, [(len(content) - 3, len(content))], way) == [content[-3:]]

    def test_the_whole_is_read(self, storage: Storage, content: bytes) -> None:
        assert storage.read_all() == content
        whole = self.run(storage.read_all_async())
        assert whole == content
        assert whole.readonly

    def test_reading_tells_the_size_or_stat_does(self, storage: Storage, content: bytes) -> None:
        storage.read_all()
        assert (storage.seen or storage.stat()).size == len(content)

    def test_several_threads_read_at_once(self, storage: Storage, content: bytes) -> None:
        spans = [(i, i + 100) for i in range(0, LEAST - 100, 10)]
        with ThreadPoolExecutor(READERS) as pool:
            read = list(pool.map(lambda span: self.read(storage, [span], "blocking"), spans))
        assert read == [[content[start:stop]] for start, stop in spans]

    def test_several_tasks_read_at_once(self, storage: Storage, content: bytes) -> None:
        async def read() -> list[bytes]:
            spans = [(i, i + 100) for i in range(0, LEAST - 100, 10)]
            into = buffers(spans)
            reads = [storage.read_async([span], [buffer]) for span, buffer in zip(spans, into, strict=True)]
            await asyncio.gather(*reads)
            return [bytes(buffer) for buffer in into]

        assert self.run(read()) == [content[i : i + 100] for i in range(0, LEAST - 100, 10)]

    def test_a_storage_is_read_in_one_loop_after_the_other(self, storage: Storage, content: bytes) -> None:
        for i in range(3):
            assert self.read(storage, [(i, i + 5)], "async") == [content[i : i + 5]]

    def test_buffers_of_any_kind_of_item_are_filled(self, storage: Storage, content: bytes) -> None:
        buffer = memoryview(bytearray(16)).cast("I")
        storage.read([(0, 16)], [buffer])
        assert buffer.tobytes() == content[:16]

    def test_a_cancelled_read_leaves_the_buffers_alone(self, storage: Storage, content: bytes) -> None:
        async def cancelled() -> None:
            spans = [(0, 500), (100, 600)]
            into = buffers(spans)
            task = asyncio.create_task(storage.read_async(spans, into))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for buffer in into:
                buffer[:] = bytes(len(buffer))
            into_again = buffers(spans)
            await storage.read_async(spans, into_again)
            assert [bytes(buffer) for buffer in into_again] == [content[:500], content[100:600]]
            assert not any(map(any, into))

        self.run(cancelled())

    # -- errors

    @pytest.mark.parametrize(
        ("spans", "sizes"),
        [([(0, 5)], []), ([(0, 5)], [4]), ([(0, 5)], [6]), ([(5, 0)], [0]), ([(-3, 2)], [5])],
    )
    def test_spans_and_buffers_that_do_not_fit_are_refused(
        self, storage: Storage, spans: list[Span], sizes: list[int], way: str
    ) -> None:
        into = [memoryview(bytearray(size)) for size in sizes]
        with pytest.raises(ValueError, match=r"buffer"):
            storage.read(spans, into) if way == "blocking" else self.run(storage.read_async(spans, into))

    def test_read_only_buffers_are_refused(self, storage: Storage) -> None:
        with pytest.raises(ValueError, match="read-only"):
            storage.read([(0, 5)], [memoryview(b"12345")])

    @pytest.mark.parametrize("beyond", [1, 1 << 40])
    def test_a_span_that_ends_behind_the_object_is_refused(
        self, storage: Storage, content: bytes, way: str, beyond: int
    ) -> None:
        for start in (len(content) - 2, len(content)):
            with pytest.raises(StorageError, match=f"has {len(content):,} bytes") as caught:
                # the buffer is limited: the span itself may be larger than the memory
                self.read(storage, [(start, len(content) + min(beyond, 4096))], way)
            assert not caught.value.passing
            assert caught.value.span == (start, len(content) + min(beyond, 4096))
            assert caught.value.url == storage.name

    def test_an_object_that_is_not_there_is_not_found(self, storage: Storage, way: str) -> None:
        with storage.beside(".no-such-object") as missing:
            for attempt in (
                lambda: missing.stat() if way == "blocking" else self.run(missing.stat_async()),
                lambda: self.read(missing, [(0, 1)], way),
            ):
                with pytest.raises(StorageNotFoundError, match="no-such-object") as caught:
                    attempt()
                assert not caught.value.passing

    def test_an_object_that_was_replaced_is_refused(
        self, storage: Storage, content: bytes, replace: Callable[[bytes], None], way: str
    ) -> None:
        self.read(storage, [(0, 10)], way)
        seen = storage.seen
        replace(content[::-1])
        with pytest.raises(DatasetReplacedError, match="was replaced while it was in use") as caught:
            self.read(storage, [(0, 10)], way)
        assert not caught.value.passing
        with pytest.raises(DatasetReplacedError):
            storage.stat() if way == "blocking" else self.run(storage.stat_async())
        assert storage.seen == seen

    def test_an_object_that_was_cut_is_refused(
        self, storage: Storage, content: bytes, replace: Callable[[bytes], None], way: str
    ) -> None:
        storage.stat()
        replace(content[:100])
        with pytest.raises(DatasetReplacedError, match=f"{len(content):,} bytes|another version"):
            self.read(storage, [(500, 600)], way)

    # -- opening and closing

    def test_the_object_beside_has_a_longer_name(
        self, storage: Storage, content: bytes, beside: Callable[[str, bytes], None]
    ) -> None:
        beside(".offsets", b"12345")
        with storage.beside(".offsets") as other:
            assert type(other) is type(storage)
            assert bytes(other.read_all()) == b"12345"
        assert storage.read_all() == content

    def test_a_pickled_storage_is_opened_anew(self, storage: Storage, content: bytes) -> None:
        storage.stat()
        with pickle.loads(pickle.dumps(storage)) as other:
            assert other.url == storage.url
            assert other.seen is None
            assert other.read_all() == content

    def test_a_closed_storage_refuses_to_work(self, storage: Storage, way: str) -> None:
        storage.stat()
        for _ in range(2):
            storage.close() if way == "blocking" else self.run(storage.close_async())
        with pytest.raises(ClosedError, match="closed"):
            self.read(storage, [(0, 1)], way)
        with pytest.raises(ClosedError, match="closed"):
            storage.stat() if way == "blocking" else self.run(storage.stat_async())

    def test_a_storage_is_its_own_context(self, storage: Storage) -> None:
        async def enter() -> None:
            async with storage as entered:
                assert entered is storage

        with storage as entered:
            assert entered is storage
        self.run(enter())
        with pytest.raises(ClosedError):
            storage.stat()

    def test_no_thread_is_left_behind(self, storage: Storage) -> None:
        before = self.threads()
        self.read(storage, [(0, 10), (20, 30)], "blocking")
        self.read(storage, [(0, 10), (20, 30)], "async")
        storage.close()
        assert self.threads() <= before

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_a_storage_is_not_used_after_a_fork(self, storage: Storage) -> None:
        storage.stat()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                storage.read([(0, 1)], buffers([(0, 1)]))
            except ClosedError as error:
                status = 0 if "forked" in str(error) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_the_name_is_shown(self, storage: Storage) -> None:
        assert repr(storage) == f"{type(storage).__name__}({storage.name!r})"
