"""All storages pass the conformance tests."""

import secrets

import obstore
import pytest
from rangeserver import serving

from ddfast.errors import DatasetReplacedError
from ddfast.storage import AnyStorage, CachedStorage, LocalStorage, ObjectStorage
from ddfast.storage.backends.stores import make_store
from ddfast.storage.urls import split_url
from ddfast.testing import FaultyStorage, StorageTests

CONTENT = secrets.token_bytes(3000)


class OverFiles(StorageTests):
    @pytest.fixture
    def content(self):
        return CONTENT

    @pytest.fixture
    def path(self, content, tmp_path):
        (tmp_path / "a b").mkdir()
        path = tmp_path / "a b" / "x[1].bin"
        path.write_bytes(content)
        return path

    @pytest.fixture
    def replace(self, path):
        return path.write_bytes

    @pytest.fixture
    def beside(self, path):
        return lambda suffix, content: path.with_name(path.name + suffix).write_bytes(content)


class TestLocalStorage(OverFiles):
    @pytest.fixture
    def storage(self, path):
        with LocalStorage(path) as storage:
            yield storage


class TestLocalStorageOfUrl(OverFiles):
    @pytest.fixture
    def storage(self, path):
        with LocalStorage(path.as_uri()) as storage:
            yield storage


class TestFaultyStorageWithoutFaults(OverFiles):
    @pytest.fixture
    def storage(self, path):
        with FaultyStorage(path) as storage:
            yield storage


class TestCachedStorage(OverFiles):
    @pytest.fixture
    def storage(self, path, tmp_path):
        with CachedStorage(LocalStorage(path), tmp_path / "cache", 1 << 30) as storage:
            yield storage

    def test_an_object_that_was_replaced_is_refused(self, storage, content, replace, way):
        # Blocks in the directory are of the version that was seen first; only `stat` detects another.
        assert self.read(storage, [(0, 10)], way) == [content[:10]]
        replace(content[::-1])
        assert self.read(storage, [(0, 10)], way) == [content[:10]]
        with pytest.raises(DatasetReplacedError):
            storage.stat()


class TestAnyStorage(OverFiles):
    @pytest.fixture
    def storage(self, path):
        with AnyStorage(f"local://{path}") as storage:
            yield storage

    def test_an_object_that_was_replaced_is_refused(self):
        pytest.skip("reads do not see it")


class TestHttpStorage(StorageTests):
    @pytest.fixture
    def content(self):
        return CONTENT

    def threads(self):
        return {thread for thread in super().threads() if "process_request" not in thread.name}

    @pytest.fixture
    def site(self, content):
        with serving({"/a b/x[1].bin": content}) as site:
            yield site

    @pytest.fixture
    def replace(self, site):
        return lambda content: site.replace("/a b/x[1].bin", content)

    @pytest.fixture
    def beside(self, site):
        return lambda suffix, content: site.replace(f"/a b/x[1].bin{suffix}", content)

    @pytest.fixture
    def storage(self, site):
        with ObjectStorage(f"{site.url}/a%20b/x%5B1%5D.bin?signature=secret%2F1") as storage:
            yield storage


class TestMemoryStorage(StorageTests):
    @pytest.fixture
    def content(self):
        return CONTENT

    @pytest.fixture
    def url(self):
        return f"memory://{secrets.token_hex(4)}/a b/x%20.bin"

    @pytest.fixture
    def replace(self, url):
        location = split_url(url)
        return lambda content: obstore.put(make_store(location, {}), location.key, content)

    @pytest.fixture
    def beside(self, url):
        location = split_url(url)
        return lambda suffix, content: obstore.put(make_store(location, {}), location.key + suffix, content)

    @pytest.fixture
    def storage(self, url, replace, content):
        replace(content)
        with ObjectStorage(url) as storage:
            yield storage
