"""BatchDataset: whole batches for the DataLoader, in the order of ``reader.batches``."""

from itertools import chain, zip_longest

import numpy as np
import pytest
from datasets import damage, write
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_helpers import FakeInfo, first_bytes

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.utils.data import DataLoader  # noqa: E402

import ddfast.torch.place  # noqa: E402
from ddfast.errors import ColumnNameError, UnevenBatchesError  # noqa: E402
from ddfast.reader import MsgpackReader  # noqa: E402
from ddfast.torch import BatchDataset  # noqa: E402

N = 101


def sample(i):
    return {
        "key": f"{i:03}",
        "label": i,
        "image": bytes([i]) * (i + 1),
        "vector": np.full(3, i, np.float32),
        "ragged": np.arange(i % 4, dtype=">i2"),
        "text": f"it is {i}",
        "boxes": [[i, 2 * i]] * (i % 3),
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(
        tmp_path_factory.mktemp("batches") / "train.msgpack", [sample(i) for i in range(N)], "ddfast"
    )


@pytest.fixture
def reader(path):
    with MsgpackReader(path) as reader:
        yield reader


def labels(batches):
    return [batch["label"].tolist() for batch in batches]


def flat(lists):
    return list(chain.from_iterable(lists))


def on_worker(dataset, monkeypatch, worker, workers):
    monkeypatch.setattr(ddfast.torch.place, "get_worker_info", lambda: FakeInfo(worker, workers))
    return dataset


def test_columns_are_tensors_or_lists(reader):
    for batch in DataLoader(BatchDataset(reader, 10), batch_size=None):
        rows = batch["label"].tolist()
        expected = [sample(i) for i in rows]
        assert list(batch) == list(expected[0])
        assert batch["label"].dtype == torch.int64
        assert torch.equal(batch["vector"], torch.tensor(np.stack([s["vector"] for s in expected])))
        for name in ("key", "image", "text", "boxes"):
            assert batch[name] == [s[name] for s in expected]
        assert [type(image) for image in batch["image"]] == [bytes] * len(rows)
        assert [t.tolist() for t in batch["ragged"]] == [s["ragged"].tolist() for s in expected]
        assert all(t.dtype == torch.int16 for t in batch["ragged"])
        batch["vector"][:] = 0  # nobody else's
        batch["label"][:] = 0


@pytest.mark.parametrize("shuffle", [False, True, "block"])
def test_order_is_that_of_the_readers_batches(reader, shuffle):
    dataset = BatchDataset(reader, 7, shuffle=shuffle, seed=3, epoch=5)
    for epoch in (5, 6):
        wanted = [
            batch["label"].tolist() for batch in reader.batches(7, shuffle=shuffle, seed=3, epoch=epoch)
        ]
        assert labels(dataset) == wanted
    assert dataset.epoch == 7


def test_columns_and_drop_last_are_the_readers(reader):
    dataset = BatchDataset(reader, 10, columns=["label"], drop_last=True)
    batches = list(dataset)
    assert [list(batch) for batch in batches] == [["label"]] * 10
    assert len(dataset) == 10
    with pytest.raises(ColumnNameError, match="no column 'image'"):
        list(
            BatchDataset(
                reader,
                10,
                columns=["label"],
                transform=lambda _: next(reader.batches(1, columns=["label"]))["image"],
            )
        )


def test_a_transform_sees_views_and_may_return_anything(reader):
    first, *_ = BatchDataset(reader, 4, transform=first_bytes)
    assert first["first"] == first["label"].tolist() == [0, 1, 2, 3]
    assert next(iter(BatchDataset(reader, 4, transform=len))) == 7


PLACES = {
    "batch_size": st.integers(1, 30),
    "world_size": st.integers(1, 4),
    "workers": st.integers(1, 4),
    "drop_last": st.booleans(),
    "shuffle": st.sampled_from([False, True]),
}


@settings(max_examples=60, deadline=None)
@given(**PLACES)
def test_every_sample_comes_once_an_epoch_and_ranks_are_even(
    path, batch_size, world_size, workers, drop_last, shuffle
):
    reader = MsgpackReader(path, columns=["label"])
    delivered, counts = [], []
    with pytest.MonkeyPatch.context() as patch:
        for rank in range(world_size):
            patch.setattr(torch.distributed, "is_initialized", lambda: True)
            patch.setattr(torch.distributed, "get_rank", lambda group: rank)  # noqa: B023
            patch.setattr(torch.distributed, "get_world_size", lambda group: world_size)
            dataset = BatchDataset(reader, batch_size, shuffle=shuffle, drop_last=drop_last)
            for worker in range(workers):
                on_worker(dataset, patch, worker, workers)
                dataset.epoch = 0
                try:
                    delivered.append(labels(dataset))
                except UnevenBatchesError:
                    delivered.append("refused")
            counts.append(len(dataset))
    reader.close()
    if "refused" in delivered:
        assert set(map(str, delivered)) == {"refused"}
        assert len(set(counts)) > 1
        return
    assert len(set(counts)) == 1
    assert sum(counts) == sum(map(len, delivered))
    samples = sorted(flat(flat(delivered)))
    if drop_last:
        assert len(samples) == len(set(samples)) == N - N % (batch_size * world_size)
    else:
        assert samples == list(range(N))


@settings(max_examples=60, deadline=None)
@given(**PLACES, start=st.integers(0, N))
def test_workers_take_the_batches_of_their_rank_in_turn(
    path, batch_size, world_size, workers, drop_last, shuffle, start
):
    """The DataLoader asks its workers in turn, so that it delivers the batches of the reader in their order."""
    with MsgpackReader(path, columns=["label"]) as reader, pytest.MonkeyPatch.context() as patch:
        for rank in range(world_size):
            place = {"rank": rank, "world_size": world_size, "drop_last": drop_last}
            wanted = labels(reader.batches(batch_size, shuffle=shuffle, epoch=3, start=start, **place))
            dataset = BatchDataset(reader, batch_size, shuffle=shuffle, drop_last=drop_last)
            dataset.rank, dataset.world_size = rank, world_size
            dataset._check = lambda begun: None
            parts = []
            for worker in range(workers):
                on_worker(dataset, patch, worker, workers)
                dataset.load_state_dict({"epoch": 3, "position": start})
                parts.append(labels(dataset))
            in_turn = [batch for step in zip_longest(*parts) for batch in step if batch is not None]
            assert in_turn == wanted


def test_uneven_ranks_are_refused_with_the_way_out(reader, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda group: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda group: 2)
    dataset = BatchDataset(reader, 50)
    with pytest.raises(
        UnevenBatchesError, match=r"rank 0 would have 2 batches, but rank 1 only 1, .* Use drop_last"
    ):
        list(dataset)
    assert issubclass(UnevenBatchesError, RuntimeError)
    assert labels(BatchDataset(reader, 50, drop_last=True)) == [list(range(50, 100))]


def test_a_batch_size_below_one_is_refused_at_once(reader):
    with pytest.raises(ValueError, match="batch_size is 0"):
        BatchDataset(reader, 0)


# -- resuming


@pytest.mark.parametrize("seen", range(8))
def test_a_pass_goes_on_where_another_was(reader, seen):
    def fresh():
        return BatchDataset(reader, 15, shuffle=True, seed=1, epoch=2)

    whole = fresh()
    wanted = labels(whole) + labels(whole)
    first = fresh()
    batches = iter(first)
    for _ in range(seen):
        next(batches, None)
    state = first.state_dict()
    again = BatchDataset(reader, 15, shuffle=True, seed=1)
    again.load_state_dict(state)
    assert again.state_dict() == state
    assert labels(again) + labels(again) == wanted[min(seen, 7) :]


def test_a_state_behind_the_last_batch_is_the_next_epoch(reader):
    dataset = BatchDataset(reader, 50)
    assert dataset.state_dict() == {"epoch": 0, "position": 0}
    list(dataset)
    assert dataset.state_dict() == {"epoch": 1, "position": 0}
    with pytest.raises(ValueError, match="positions go from 0 to 101"):
        dataset.load_state_dict({"epoch": 0, "position": 102})


def test_another_batch_size_goes_on_from_a_position(reader):
    dataset = BatchDataset(reader, 10, shuffle=True)
    batches = iter(dataset)
    begin = [next(batches)["label"].tolist() for _ in range(4)]
    other = BatchDataset(reader, 17, shuffle=True)
    other.load_state_dict(dataset.state_dict())
    assert sorted(flat(begin + labels(other))) == list(range(N))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_each_worker_goes_on_where_it_was(reader, workers, monkeypatch):
    """As torchdata's StatefulDataLoader does it: the state of each worker is that of its copy of the dataset."""
    whole, resumed = [], []
    for worker in range(workers):
        dataset = on_worker(BatchDataset(reader, 4, shuffle=True), monkeypatch, worker, workers)
        whole.append(labels(dataset))
        dataset.epoch = 0
        batches = iter(dataset)
        begin = [next(batches)["label"].tolist() for _ in range(3 - worker)]  # they need not be equally far
        again = BatchDataset(reader, 4, shuffle=True)
        again.load_state_dict(dataset.state_dict())
        resumed.append(begin + labels(again))
    assert resumed == whole


def damaged_copy(path, tmp_path):
    """A dataset whose samples 10 to 19 are damaged."""
    copy = write(tmp_path / "x", [sample(i) for i in range(N)], "ddfast")
    for i in range(10, 20):
        damage(copy, i)
    return copy


def test_batch_without_a_sample_left_is_left_out(path, tmp_path):
    with MsgpackReader(damaged_copy(path, tmp_path), on_error="skip") as reader:
        assert flat(labels(BatchDataset(reader, 10))) == [*range(10), *range(20, N)]


def test_batch_without_a_sample_left_is_an_error_where_other_ranks_would_wait(path, tmp_path, monkeypatch):
    with MsgpackReader(damaged_copy(path, tmp_path), on_error="skip") as reader:
        dataset = BatchDataset(reader, 10, drop_last=True)
        dataset.rank, dataset.world_size = 1, 2
        with pytest.raises(UnevenBatchesError, match="batch 0 of this process has no sample left"):
            next(iter(dataset))
