"""MsgpackReader passes the conformance tests of readers, as does the reader of datadings where both agree."""

import datadings.reader
import pytest
from datasets import some_samples, write, write_legacy

from ddfast.reader import MsgpackReader, Reader
from ddfast.testing import ReaderTests
from ddfast.testing.batches import BatchTests

# Where datadings' MsgpackReader fails our suite, and why we do not follow it.
BACKWARDS = "datadings reads with the size that an empty range from right to left seems to have"
DIFFERENCES = {
    "test_get_counts_negative_indices_from_the_end": "datadings reads from the wrong place",
    "test_get_refuses_indices_below_the_range[0]": "datadings gives the first sample",
    "test_slice_follows_the_rules_of_python_slices[5-2]": BACKWARDS,
    "test_brackets_take_slices[5-2]": BACKWARDS,
    **{
        f"test_what_cannot_be_a_key_is_not_found[{kind}]": "datadings raises AttributeError or UnicodeEncodeError"
        for kind in ("int", "none", "bytes", "list", "surrogate")
    },
    "test_a_copy_gives_the_same_samples": "datadings' copies have no position",
    "test_a_copy_starts_at_the_position_and_then_has_its_own": "datadings' copies have no position",
}


class TestMsgpackReader(ReaderTests):
    @pytest.fixture
    def samples(self):
        return some_samples()

    @pytest.fixture(params=["datadings", "ddfast"])
    def reader(self, request, samples, tmp_path):
        with MsgpackReader(write(tmp_path / "x.msgpack", samples, request.param)) as reader:
            yield reader


class TestMsgpackReaderOfLegacyIndex(ReaderTests):
    @pytest.fixture
    def samples(self):
        return some_samples()

    @pytest.fixture
    def reader(self, samples, tmp_path):
        with MsgpackReader(write_legacy(tmp_path / "x.msgpack", samples)) as reader:
            yield reader


class OverMsgpack(Reader):
    """A reader that implements what it must and leaves the rest to the base class."""

    def __init__(self, path):
        super().__init__()
        self._inner = MsgpackReader(path)

    def __len__(self):
        return len(self._inner)

    def __contains__(self, key):
        return key in self._inner

    def __exit__(self, *exc):
        self._inner.close()

    def find_key(self, index):
        return self._inner.find_key(index)

    def find_index(self, key):
        return self._inner.find_index(key)

    def get(self, *args, **kwargs):
        return self._inner.get(*args, **kwargs)

    def slice(self, *args, **kwargs):
        return self._inner.slice(*args, **kwargs)


class TestReaderBase(ReaderTests):
    @pytest.fixture
    def samples(self):
        return some_samples()

    @pytest.fixture
    def reader(self, samples, tmp_path):
        with OverMsgpack(write(tmp_path / "x.msgpack", samples)) as reader:
            yield reader


class TestDatadingsReader(ReaderTests):
    """The suite asks for nothing that datadings does not do, but for the differences listed."""

    @pytest.fixture(autouse=True)
    def expect_differences(self, request):
        if hasattr(BatchTests, request.node.originalname):
            pytest.skip("datadings has no batches")
        reason = DIFFERENCES.get(request.node.name)
        if reason is not None:
            request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    @pytest.fixture
    def samples(self):
        return some_samples()

    @pytest.fixture
    def reader(self, samples, tmp_path):
        with datadings.reader.MsgpackReader(write(tmp_path / "x.msgpack", samples, "ddfast")) as reader:
            yield reader
