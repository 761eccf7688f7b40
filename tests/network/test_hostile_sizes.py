"""Sizes that a server reports, and does not send, take no memory and no time."""

from __future__ import annotations

import contextlib
import re
import resource
import struct

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rangeserver import Handler, serving

from ddfast.errors import DdfastError, ReadError, StorageError
from ddfast.reader import MsgpackReader
from ddfast.storage import RetryPolicy, open_storage
from ddfast.storage.base import LARGE, memory_for

pytest.importorskip("obstore")

RETRY = RetryPolicy(timeout=5, attempt_timeout=2, retries=1, backoff=0.01)
SAMPLE = msgpack.packb({"key": "a"})
MOST_MEMORY = 150 << 20


class Liar(Handler):
    """A server that reports other sizes than the objects have."""

    def serve(self, path):
        told = self.site.told.get(path)
        content = self.site.objects.get(path)
        if told is None or content is None:
            super().serve(path)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, stop = (0, told) if wanted is None else (int(wanted[1]), min(told, int(wanted[2]) + 1))
        headers = {"ETag": '"1"', "Content_Range": f"bytes {start}-{stop - 1}/{told}"}
        self.answer(200 if wanted is None else 206, content[start:stop], stop - start, **headers)
        self.close_connection = True


@pytest.fixture
def site():
    objects = {
        "/x": SAMPLE,
        "/x.offsets": struct.pack(">2Q", 0, len(SAMPLE)),
        "/x.keys": msgpack.packb(["a"]),
    }
    with serving(objects, Liar) as site:
        site.told = {}
        yield site


def resident():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def read(url):
    with MsgpackReader(url, retry=RETRY, prefetch_bytes=1 << 20) as reader:
        return reader.get(0), reader.find_index("a")


def test_an_honest_server_is_read(site):
    assert read(f"{site.url}/x") == ({"key": "a"}, 0)


@pytest.mark.parametrize("name", ["x.offsets", "x.keys"])
@pytest.mark.parametrize("size", [1 << 30, 40 << 30, 1 << 50, (1 << 62) + 16])
def test_a_large_index_that_never_arrives_takes_no_memory(site, name, size):
    site.told[f"/{name}"] = size
    before = resident()
    with pytest.raises(StorageError, match=rf"{name}.*(could not be read|do not fit into memory)"):
        read(f"{site.url}/x")
    assert resident() - before < MOST_MEMORY


@pytest.mark.parametrize("size", [8 << 30, 1 << 50])
def test_a_large_data_file_that_never_arrives_takes_no_memory(site, size):
    site.told["/x"] = size
    site.objects["/x.offsets"] = struct.pack(">2Q", 0, size)
    before = resident()
    with pytest.raises(ReadError, match=r"could not be read|no memory for the batch"):
        read(f"{site.url}/x")
    assert resident() - before < MOST_MEMORY


@pytest.mark.parametrize("size", [4 << 30, 1 << 50])
def test_whole_objects_that_never_arrive_take_no_memory(site, size, arun):
    site.told["/x"] = size
    before = resident()
    with open_storage(f"{site.url}/x") as storage, pytest.raises(StorageError, match="could not be read"):
        storage.read_all()
    with open_storage(f"{site.url}/x") as storage, pytest.raises(StorageError, match="could not be read"):
        arun(storage.read_all_async())
    assert resident() - before < MOST_MEMORY


def test_memory_that_does_not_exist_is_refused():
    for size in (1 << 62, 1 << 70):
        with pytest.raises(
            StorageError, match=f"{size:,} bytes of x do not fit into memory. Check that the server"
        ):
            memory_for(size, "x")
    for size in (0, 1, LARGE - 1, LARGE):
        assert bytes(memory_for(size, "x")) == bytes(size)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["/x", "/x.offsets", "/x.keys"]), st.integers(0, 1 << 64))
def test_any_reported_size_gives_samples_or_an_error(site, name, size):
    site.told = {name: size}
    before = resident()
    with contextlib.suppress(DdfastError):
        assert read(f"{site.url}/x") == ({"key": "a"}, 0)
    assert resident() - before < MOST_MEMORY
