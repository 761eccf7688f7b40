"""Opening a dataset: its cost, and the messages of its errors."""

import errno

import numpy as np
import pytest
from datasets import beside, damage, keys_of, some_samples, write

from ddfast._native import status
from ddfast.dataset.local import LocalDataset
from ddfast.errors import (
    ClosedError,
    CorruptSampleError,
    CorruptSpanError,
    DatasetChangedError,
    IndexFileError,
    KernelError,
    ReadError,
    SampleIndexError,
)

SAMPLES = some_samples(20)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES)


@pytest.fixture
def dataset(path):
    return LocalDataset(path)


@pytest.mark.parametrize(("index", "position"), [(0, 0), (19, 19), (-1, 19), (-20, 0), (np.uint8(3), 3)])
def test_positions_count_from_the_beginning(dataset, index, position):
    assert dataset.position(index) == position
    assert dataset.positions([index]).tolist() == [position]


@pytest.mark.parametrize("index", [20, -21, 1 << 80, -(1 << 80)])
def test_positions_out_of_range_are_refused(dataset, index):
    with pytest.raises(SampleIndexError, match=rf"{index}.*x\.msgpack has 20 samples"):
        dataset.position(index)


@pytest.mark.parametrize("index", [1.0, "1", None, [1]])
def test_positions_are_integers(dataset, index):
    with pytest.raises(TypeError):
        dataset.position(index)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (status.E_TRUNCATED, CorruptSampleError),
        (status.E_VALUE, CorruptSampleError),
        (status.E_SPAN, IndexFileError),
        (status.E_INDEX, SampleIndexError),
        (status.E_EOF, ReadError),
        (status.E_CHANGED, DatasetChangedError),
        (status.E_CANCELLED, ClosedError),
    ],
)
def test_every_failure_is_explained_with_the_file(dataset, code, kind):
    for index in (3, None):
        error = dataset.explain(KernelError(code, "some reason", 0, 5), index)
        wanted = CorruptSpanError if kind is IndexFileError and index is not None else kind
        assert type(error) is wanted
        assert str(dataset.path) in str(error)


def test_damage_is_explained_with_index_key_and_position(dataset):
    start, stop = dataset.offsets.span(3)
    message = str(dataset.explain(KernelError(status.E_TRUNCATED, "some reason", 0, 5), 3))
    assert f"sample 3 ({SAMPLES[3]['key']!r})" in message
    assert f"byte 5 of {stop - start:,} (file position {start + 5:,}): some reason" in message


def test_errors_of_the_system_keep_their_number(dataset):
    error = dataset.explain(OSError(errno.EIO, "Input/output error"), 3)
    assert isinstance(error, ReadError)
    assert error.errno == errno.EIO
    assert "sample 3" in str(error)


@pytest.mark.filterwarnings("ignore:.*samples have no keys")
def test_failures_are_explained_without_keys_too(path):
    beside(path, ".keys").unlink()
    message = str(LocalDataset(path).explain(KernelError(status.E_TRUNCATED, "some reason", 0, 5), 3))
    assert "sample 3 is damaged" in message


def test_where_the_file_was_cut_that_is_the_reason_whatever_failed(path, dataset):
    with path.open("ab") as file:
        file.write(b"x")
    for code in (status.E_TRUNCATED, status.E_SPAN, status.E_EOF):
        assert type(dataset.explain(KernelError(code, "some reason"), 3)) is DatasetChangedError


def test_opening_reads_no_sample_and_no_key(path):
    damage(path, 3)
    keys = beside(path, ".keys")
    keys.write_bytes(keys.read_bytes()[:3] + b"\xc1" * (keys.stat().st_size - 3))
    dataset = LocalDataset(path)
    assert len(dataset) == 20
    with pytest.raises(IndexFileError, match=r"x\.msgpack\.keys"):
        dataset.key_at(1)


def test_keys_of_many_samples(dataset):
    assert dataset.keys_of(np.array([4, 0])) == [keys_of(SAMPLES)[4], keys_of(SAMPLES)[0]]


def test_a_dataset_that_is_replaced_without_end_is_told(path, monkeypatch):
    monkeypatch.setattr("ddfast.dataset.local.REPLACED_SECONDS", 0.05)
    monkeypatch.setattr(LocalDataset, "_is_current", lambda self: False)
    with pytest.raises(DatasetChangedError, match="was replaced each time"):
        LocalDataset(path)
