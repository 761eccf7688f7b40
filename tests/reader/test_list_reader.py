"""ListReader returns the same samples as that of datadings, and its errors name the sample."""

import copy
import operator
import pickle
from pathlib import Path

import datadings.reader
import datadings.reader.list
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import assert_same_reader, outcome

from ddfast.errors import (
    DuplicateKeyError,
    MissingLabelError,
    SampleIndexError,
    SampleKeyError,
    TextFileError,
    UnknownLabelError,
    UnpackableSampleError,
)
from ddfast.reader import ListReader
from ddfast.reader.list import load_lines, noop, sorted_labels
from ddfast.testing import ReaderTests, assert_same_sample
from ddfast.tools.msgpack import packb

LABELS = ["dog", "cat10", "cat9", "bird"]


def some_samples(count=10):
    return [
        {
            "key": f"sample {i} ß",
            "label": LABELS[i % 4],
            "array": np.arange(i % 3),
            "nested": {"list": [i, None]},
        }
        for i in range(count)
    ]


def numbered(samples):
    """Samples as the reader gives them."""
    order = ["bird", "cat9", "cat10", "dog"]
    return [
        {**sample, "label": order.index(sample["label"]), "_label": sample["label"]} for sample in samples
    ]


def square(sample):
    sample["square"] = sample["label"] ** 2


class TestListReader(ReaderTests):
    @pytest.fixture
    def samples(self):
        return numbered(some_samples())

    @pytest.fixture
    def reader(self):
        with ListReader(some_samples()) as reader:
            yield reader


class TestListReaderWithoutKeys(ReaderTests):
    @pytest.fixture
    def samples(self):
        return [{"x": i * 1.5, "key": i} for i in range(9)]

    @pytest.fixture(params=[list, tuple])
    def reader(self, request):
        with ListReader(request.param({"x": i * 1.5} for i in range(9))) as reader:
            yield reader


class TestListReaderPickled(ReaderTests):
    @pytest.fixture
    def samples(self):
        return [{**sample, "square": sample["label"] ** 2} for sample in numbered(some_samples())]

    @pytest.fixture
    def reader(self):
        with ListReader(some_samples(), convertfun=square) as reader:
            yield pickle.loads(pickle.dumps(reader))


# -- the same as datadings

# No two that only differ in type: which of them comes first depends on the hashes of the process.
LABEL = st.sampled_from(["a1", "a2", "a10", "b", 3, 2, 10, None]) | st.text("ab1", max_size=3)
SAMPLE = st.fixed_dictionaries(
    {"x": st.integers(-3, 1 << 63) | st.none() | st.binary(max_size=3)},
    optional={"key": st.text("kß1", max_size=3) | st.integers(0, 9), "label": LABEL},
)


def mark(sample):
    sample["mark"] = len(sample)
    if sample["x"] is None:
        sample["key"] = repr(sorted(map(str, sample)))


def drop_x(sample):
    sample.pop("x")
    sample["mark"] = sample.get("mark", 0) + 1


@given(
    samples=st.lists(SAMPLE, max_size=8),
    labels=st.none() | st.lists(LABEL, max_size=6),
    numeric=st.booleans(),
    initfun=st.sampled_from([noop, mark]),
    convertfun=st.sampled_from([noop, mark, drop_x]),
)
def test_any_samples_are_given_as_datadings_gives_them(samples, labels, numeric, initfun, convertfun):
    given_to = {}
    readers = []
    for module in (ListReader, datadings.reader.ListReader):
        given_to[module] = copy.deepcopy(samples)
        readers.append(outcome(module, given_to[module], labels, numeric, initfun, convertfun))
    assert_same_reader(*readers)
    assert_same_sample(*given_to.values())


@given(st.lists(st.fixed_dictionaries({}, optional={"label": LABEL}), max_size=8))
def test_labels_are_sorted_as_datadings_sorts_them(samples):
    ours = outcome(sorted_labels, samples)
    assert ours == outcome(datadings.reader.list.sorted_labels, samples)


@pytest.mark.parametrize("name", ["labels.txt", Path("labels.txt")])
def test_labels_may_come_from_a_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes("dog\r\n cat9 \ncat10\nbird\n\nBär".encode())
    assert load_lines(name) == datadings.reader.list.load_lines(name)
    readers = [module(some_samples(), labels=name) for module in (ListReader, datadings.reader.ListReader)]
    assert_same_reader(*readers)


@pytest.mark.parametrize("kind", [tuple, set, dict.fromkeys, iter])
def test_labels_may_be_anything_iterable(kind):
    reader = ListReader(some_samples(4), labels=kind(LABELS))
    order = list(reader.labels)
    assert sorted(order) == sorted(LABELS)
    assert [order[sample["label"]] for sample in reader] == [sample["_label"] for sample in reader]


def test_numbers_are_found_by_their_text():
    assert ListReader([{"label": "3"}, {"label": 5}], labels=[5, 3]).get(0)["label"] == 1


def test_packed_samples_are_what_the_format_says():
    reader = ListReader(some_samples())
    assert list(reader.rawiter()) == [packb(sample) for sample in numbered(some_samples())]


# -- what is done to the samples


def test_initfun_changes_the_given_samples_once_and_convertfun_copies_each_time():
    calls = []
    samples = some_samples(3)
    reader = ListReader(
        samples, initfun=lambda s: s.update(new=1), convertfun=lambda s: calls.append(s.pop("new"))
    )
    assert [sample["new"] for sample in samples] == [1, 1, 1]
    for _ in range(2):
        assert all("new" not in sample for sample in reader)
    assert len(calls) == 6
    assert [sample["label"] for sample in samples] == LABELS[:3]


def test_a_sample_given_may_be_changed_without_harm():
    reader = ListReader(some_samples())
    reader.get(0).clear()
    assert_same_sample(reader.get(0), numbered(some_samples())[0])


def test_a_key_that_convertfun_changes_is_the_one_that_is_given():
    reader = ListReader(some_samples(2), convertfun=lambda sample: sample.update(key="new"))
    assert reader.get(1, yield_key=True)[0] == "new"
    assert reader.find_key(1) == "sample 1 ß"


def test_an_empty_list_is_an_empty_reader():
    reader = ListReader([])
    assert (len(reader), list(reader), list(reader.labels)) == (0, [], [])


# -- errors


def test_two_samples_with_the_same_key_are_named():
    with pytest.raises(DuplicateKeyError, match="duplicate key 'b': samples 1 and 2 have it") as caught:
        ListReader([{"key": key} for key in "abb"])
    assert isinstance(caught.value, ValueError)


def test_none_as_label_names_the_sample_and_the_way_out():
    samples = [{"key": "a", "label": "x"}, {"key": "b", "label": None}]
    with pytest.raises(MissingLabelError, match=r"sample 1 \('b'\) has None as label.*`labels`") as caught:
        ListReader(samples)
    assert isinstance(caught.value, ValueError)
    assert [sample["label"] for sample in ListReader(samples, labels=["x", None])] == [0, 1]


@pytest.mark.parametrize(
    ("labels", "shown"), [(["a", "b"], r"2 `labels`.*\('a', 'b'\)"), ("abcdefg", r"7.*'e', ...\)")]
)
def test_a_label_that_is_not_given_is_named_when_its_sample_is_asked_for(labels, shown):
    reader = ListReader([{"key": "k", "label": "a"}, {"key": "l", "label": "z"}], labels=list(labels))
    assert reader.get(0)["label"] == 0
    with pytest.raises(UnknownLabelError, match=rf"sample 1 \('l'\) has label 'z'.*{shown}") as caught:
        reader.get(1)
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize("value", [object(), 1 << 64, "\udcff", {1, 2}, [[object()]]])
def test_a_value_that_cannot_be_packed_is_named(value):
    reader = ListReader([{"key": "k", "x": 1, "y": value}])
    assert reader.get(0)["y"] is value
    with pytest.raises(
        UnpackableSampleError, match=r"sample 0 \('k'\), field 'y', cannot be packed: .*raw"
    ) as caught:
        reader.get(0, raw=True)
    for kind in (TypeError, OverflowError, ValueError):
        assert isinstance(caught.value, kind)


def test_a_key_that_cannot_be_packed_is_named():
    with pytest.raises(UnpackableSampleError, match=r"sample 0 \('\\udcff'\), field 'key'"):
        ListReader([{"key": "\udcff"}]).get(0, raw=True)


@pytest.mark.parametrize("call", [operator.methodcaller("get", 3), operator.methodcaller("find_key", -4)])
def test_an_index_out_of_range_is_named_with_the_length(call):
    with pytest.raises(SampleIndexError, match=r"index -?\d out of range for length 3 reader"):
        call(ListReader(some_samples(3)))


def test_an_unknown_key_is_named_with_the_reader():
    with pytest.raises(SampleKeyError, match="<ListReader: 3 samples> has no sample with key 'x'"):
        ListReader(some_samples(3)).find_index("x")


def test_errors_of_convertfun_are_passed_on():
    with pytest.raises(ZeroDivisionError):
        ListReader(some_samples(1), convertfun=lambda sample: 1 / sample["label"]).get(0)


def test_labels_in_another_encoding_name_file_and_line(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes(b"cat\nb\xe4r\n")
    with pytest.raises(
        TextFileError, match=r"labels\.txt is not UTF-8 text: byte 0xe4 in line 2.*iconv"
    ) as caught:
        ListReader(some_samples(1), labels=path)
    assert isinstance(caught.value, ValueError)


def test_a_byte_order_mark_is_no_label(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("cat\n", encoding="utf-8-sig")
    assert load_lines(path) == ["cat"]


def test_missing_labels_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        ListReader(some_samples(1), labels=tmp_path / "nowhere.txt")
